"""Whoever stores anything of people says so, and events say what of people they hold."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import pytest

from kernel import Event
from kernel.contracts.audit import ActRecorded
from kernel.contracts.auth import SessionRevoked
from kernel.contracts.courses import CourseReturned
from kernel.contracts.personal_data import PERSONAL_DATA
from kernel.discovery import Catalogue, load
from kernel.testing.event_schemas import all_events

#: Names of columns that hold a person, or something that somebody wrote about one.
_OF_PEOPLE: Final = re.compile(
    r"(user|account|owner|member|author|maker|actor|person|student|profile|instructor|subject|recipient|wallet)(_id)?"
    r"|.*_by|.*email.*|.*name|address|origin|client|phone|biography|reason"
)
#: Names of fields of events that hold what a person is called or was told.
_TELLING: Final = frozenset({"email", "display_name", "reason", "sealed", "origin", "before", "after", "text"})
#: What a reviewer says is about a course, which stays when its teacher goes; why a session ended is one of four words.
#: Acts stay with the reasons that were given for them.
_OF_NOBODY: Final = {ActRecorded, CourseReturned, SessionRevoked}


_EVENTS: Final = sorted(all_events(), key=lambda event: event.name)


def columns_of_people(plugin: Any) -> list[str]:
    """Return the columns of the plugin's tables that could hold a person."""
    migrations = plugin.migrations()
    tables = migrations.metadata.tables.values() if migrations else ()
    return [
        f"{table.name}.{column.name}" for table in tables for column in table.c if _OF_PEOPLE.fullmatch(column.name)
    ]


@pytest.mark.parametrize("name", Catalogue.read().bundled())
def test_plugin_with_anything_of_people_hands_it_out_and_erases_it(name: str) -> None:
    """It contributes to `personal_data/1`; a plugin without such columns need not."""
    loaded = load(Catalogue.read().any(name))

    columns = columns_of_people(loaded.plugin)

    assert not columns or PERSONAL_DATA in loaded.manifest.provides, (
        f"{name} stores {', '.join(columns)}; contribute to {PERSONAL_DATA} what is to be handed out and erased"
    )


def test_columns_of_people_are_found() -> None:
    """Those of accounts, say; else the test above would find nothing to complain of."""
    found = columns_of_people(load(Catalogue.read().any("auth")).plugin)

    assert {"accounts.email", "sessions.account_id", "sessions.client", "addresses.email"} <= set(found)


@pytest.mark.parametrize("event", _EVENTS, ids=[event.name for event in _EVENTS])
def test_event_says_what_of_people_it_holds(event: type[Event]) -> None:
    """Each field that tells of somebody is personal, and what takes its place is valid."""
    types = {field.name: field.type for field in msgspec.structs.fields(event)}
    declared = {name: neutral for fields in event.personal.values() for name, neutral in fields.items()}

    assert event in _OF_NOBODY or _TELLING & types.keys() <= declared.keys()
    assert event.personal.keys() <= types.keys()
    for name, neutral in declared.items():
        assert msgspec.convert(neutral, types[name]) == neutral
