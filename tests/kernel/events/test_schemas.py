"""What is on the wire is written down in files, and changes only so that old and new programs understand each other."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import pytest

from kernel import Event
from kernel.testing import event_schemas
from kernel.testing.schemas import Schema, breaking_changes


class Place(msgspec.Struct, frozen=True):
    city: str


class Before(Event, frozen=True, kw_only=True):
    name: ClassVar[str] = "shop.sold.v1"
    key: ClassVar[str] = "customer"
    customer: str
    number: int
    place: Place
    note: str = ""


def schema_with(**fields: object) -> Schema:
    """Return the schema of `Before` with other fields; None takes one away."""
    kept = {"customer": str, "number": int, "place": Place, "note": (str, "")} | fields
    defined = [
        (name, *field) if isinstance(field, tuple) else (name, field)
        for name, field in kept.items()
        if field is not None
    ]
    return msgspec.json.schema(msgspec.defstruct("Before", defined, kw_only=True))


def changes(**fields: object) -> list[str]:
    return breaking_changes("shop.sold.v1", schema_with(), schema_with(**fields))


def test_committed_schemas_are_those_of_the_events() -> None:
    """Each line that this shows says what to do."""
    assert event_schemas.problems() == []


def test_every_event_has_a_wire_name_with_its_version() -> None:
    """The first part is the module that tells it, the last its version."""
    for event in event_schemas.all_events():
        module, fact, version = event.name.split(".")

        assert module
        assert fact
        assert version[0] == "v"
        assert version[1:].isdecimal()
        assert event.key in event.__struct_fields__


def test_field_with_a_default_may_be_added() -> None:
    """Older readers pass it over; newer ones supply it."""
    assert changes(discount=(int, 0)) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"number": None}, "the field Before.number is gone"),
        ({"number": None, "count": (int, 0)}, "the field Before.number is gone"),
        ({"number": str}, "the field Before.number is of another type"),
        ({"number": int | None}, "the field Before.number is of another type"),
        ({"number": (int, 1)}, "the field Before.number is required in one and optional in the other"),
        ({"note": str}, "the field Before.note is required in one and optional in the other"),
        ({"discount": int}, "the new field Before.discount has no default"),
        ({"place": str}, "Place is gone"),
    ],
)
def test_every_other_change_is_refused_with_the_remedy(fields: dict[str, object], expected: str) -> None:
    """Removed, renamed, retyped, or required and new."""
    found = changes(**fields)

    assert found[0].startswith(f"shop.sold.v1: {expected}; only add fields with a default; ")
