"""Redaction: what is left of an event once the values of a person are taken out of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import msgspec

#: Takes the place of the address of somebody who was erased. No mail ever gets to the domain (RFC 6761).
ERASED: Final = "erased@invalid"

#: As `Event.personal` has it.
Personal = Mapping[str, Mapping[str, object]]

#: What may stand in a mail address before and after a part of it, so that the part is not the whole. An escape of JSON
#: is a sign of its own.
_NO_LONGER_BEFORE: Final = r"(?:(?<=\\[nrt])|(?<![\w.!#$%&'*+/=?^`{|}~-]))"
_NO_LONGER_AFTER: Final = r"(?![\w-]|\.\w)"


class Identifiers(msgspec.Struct, frozen=True, kw_only=True):
    """The values by which events and answers name one person."""

    user_id: UUID
    email: str = ""  #: empty where nobody knows it any more
    alias: str = ""  #: one value more, such as the digest of the address under which mails are ordered

    def values(self) -> tuple[str, ...]:
        """Return those that are known."""
        return tuple(value for value in (str(self.user_id), self.email, self.alias) if value)

    def name(self, value: object) -> bool:
        """Return whether *value* of a field is one of them, by itself or behind a kind as in `account:0198…`."""
        return isinstance(value, str) and (value in self.values() or value.rpartition(":")[2] in self.values())


def redacted(data: bytes, personal: Personal, person: Identifiers) -> bytes:
    """Return the event *data* without what it tells of *person*; it is as valid as before."""
    return msgspec.json.encode(_without_address(_blanked(data, personal, person.name), person))


def as_told_of(data: bytes, personal: Personal, person: Identifiers) -> dict[str, Any]:
    """Return the event *data* decoded, without what it tells of others than *person*."""
    return _blanked(data, personal, lambda value: not person.name(value))


def without_address(text: str, person: Identifiers) -> str:
    """Return *text* with `ERASED` wherever the address of *person* stands by itself: others' may hold it as a part."""
    if not person.email:
        return text
    return re.sub(rf"{_NO_LONGER_BEFORE}{re.escape(person.email)}{_NO_LONGER_AFTER}", ERASED, text, flags=re.IGNORECASE)


def _blanked(data: bytes, personal: Personal, concerns: Callable[[object], bool]) -> dict[str, Any]:
    document = msgspec.json.decode(data)
    found = dict(document)
    for field, neutral in personal.items():
        if field in document and concerns(document[field]):
            found |= {name: value for name, value in neutral.items() if name in document}
    return found


def _without_address(value: Any, person: Identifiers) -> Any:
    if isinstance(value, str):
        return without_address(value, person)
    if isinstance(value, list):
        return [_without_address(item, person) for item in value]
    if isinstance(value, dict):
        return {name: _without_address(item, person) for name, item in value.items()}
    return value
