"""Taking a person out of an event, and leaving everything else as it was."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec
import pytest

from kernel import ERASED, Identifiers, Personal
from kernel.redaction import as_told_of, redacted, without_address

ADA: Final = Identifiers(user_id=UUID(int=1), email="ada@school.test", alias="digest-of-ada")
BOB: Final = UUID(int=2)
PERSONAL: Final[Personal] = {"user_id": {"name": "", "reason": ""}, "actor": {"origin": ""}}


def after(document: object, personal: Personal = PERSONAL) -> Any:
    return msgspec.json.decode(redacted(msgspec.json.encode(document), personal, ADA))


def test_values_of_the_person_give_way_and_the_rest_stays() -> None:
    """Also numbers, lists and what nobody declared."""
    told = {"user_id": str(ADA.user_id), "name": "Ada", "reason": "asked", "amount": 12, "roles": ["student"]}

    assert after(told) == told | {"name": "", "reason": ""}


def test_values_of_somebody_else_stay() -> None:
    """The person acted, and what is told is of another: only from where she acted gives way."""
    told = {"user_id": str(BOB), "name": "Bob", "reason": "asked", "actor": str(ADA.user_id), "origin": "10.1.2.3"}

    assert after(told) == told | {"origin": ""}


def test_address_gives_way_wherever_it_stands() -> None:
    """In text, in any case, in lists and within other values; no field has to be declared for it."""
    told = {
        "note": "From Ada@School.test, twice: ada@school.test",
        "to": ["ada@school.test", {"cc": "bob@school.test"}],
    }

    assert after(told, {}) == {
        "note": f"From {ERASED}, twice: {ERASED}",
        "to": [ERASED, {"cc": "bob@school.test"}],
    }


@pytest.mark.parametrize(
    "other", ["nada@school.test", "x.ada@school.test", "x+ada@school.test", "ada@school.tests", "ada@school.test.uk"]
)
def test_address_that_holds_the_persons_as_a_part_stays(other: str) -> None:
    """It is somebody else's."""
    assert after({"to": f"<{other}>"}, {}) == {"to": f"<{other}>"}


def test_address_gives_way_in_json_that_was_not_decoded() -> None:
    """After an escaped line break, too, and before the end of a sentence."""
    assert without_address(r"To:\nada@school.test. Bye", ADA) == rf"To:\n{ERASED}. Bye"


@pytest.mark.parametrize("value", [str(ADA.user_id), "ada@school.test", "digest-of-ada", f"account:{ADA.user_id}"])
def test_person_is_named_by_each_of_the_identifiers(value: str) -> None:
    """By itself, or behind the kind of the thing."""
    assert after({"subject": value, "sealed": "x"}, {"subject": {"sealed": ""}})["sealed"] == ""


@pytest.mark.parametrize("value", ["", None, 1, [str(ADA.user_id)], "account:", f"{ADA.user_id}0"])
def test_person_is_named_by_nothing_else(value: object) -> None:
    """An empty value least of all: where the address is not known any more, it names nobody."""
    nameless = Identifiers(user_id=ADA.user_id)
    data = msgspec.json.encode({"subject": value, "sealed": "x"})

    assert msgspec.json.decode(redacted(data, {"subject": {"sealed": ""}}, nameless))["sealed"] == "x"


def test_field_that_is_not_there_is_not_added() -> None:
    """An event of an older version stays one."""
    assert after({"user_id": str(ADA.user_id)}) == {"user_id": str(ADA.user_id)}


def test_what_is_handed_out_tells_of_nobody_else() -> None:
    """The counterpart: others' values give way, the person's own stay."""
    told = {"user_id": str(BOB), "name": "Bob", "actor": str(ADA.user_id), "origin": "10.1.2.3"}

    assert as_told_of(msgspec.json.encode(told), PERSONAL, ADA) == told | {"name": ""}
