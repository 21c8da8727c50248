"""JSON Schemas of events, and which changes of them are compatible.

A reader may be older or newer than the publisher, and the log holds events of both. So a field may be added with a
default; anything else is a new class with the next version beside the old one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from kernel.events.event import Event

#: A JSON Schema, or a part of one.
Schema = Mapping[str, Any]

REMEDY: Final = "only add fields with a default; for every other change add a class with the next version of the name"


def schemas(events: Iterable[type[Event]]) -> dict[str, Schema]:
    """Return wire name → JSON Schema of the data, sorted by name."""
    return {event.name: msgspec.json.schema(event) for event in sorted(events, key=lambda event: event.name)}


def breaking_changes(name: str, old: Schema, new: Schema) -> list[str]:
    """Return what in *new* an older reader, or the reader of an older event, could not bear; each with the remedy."""
    before, after = old["$defs"], new["$defs"]
    found = [f"{kind} is gone" for kind in before if kind not in after]
    for kind in before.keys() & after.keys():
        found += _changes_of(kind, before[kind], after[kind])
    return [f"{name}: {change}; {REMEDY}" for change in sorted(found)]


def _changes_of(kind: str, old: Schema, new: Schema) -> Iterable[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
    for field in before:
        if field not in after:
            yield f"the field {kind}.{field} is gone"
        elif _meaning(before[field]) != _meaning(after[field]):
            yield f"the field {kind}.{field} is of another type"
        elif (field in required_before) != (field in required_after):
            yield f"the field {kind}.{field} is required in one and optional in the other"
    for field in after:
        if field not in before and field in required_after:
            yield f"the new field {kind}.{field} has no default"
    if {**old, "properties": 0, "required": 0, "description": 0} != {
        **new,
        "properties": 0,
        "required": 0,
        "description": 0,
    }:
        yield f"{kind} is another kind of value"


def _meaning(field: Schema) -> Schema:
    """Return what *field* allows, without what is for people."""
    return {key: value for key, value in field.items() if key not in ("description", "default", "title", "examples")}
