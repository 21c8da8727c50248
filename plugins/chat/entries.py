"""Entries of a room's log as the database has them, and who may see each."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa

from kernel.contracts.chat import Audience
from plugins.chat.tables import entries, people

Kind = Literal["message", "edited", "removed", "reacted", "room"]


class NewEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be added to a log."""

    room_id: UUID
    kind: Kind
    actor: UUID
    name: str  #: the actor's
    at: datetime
    client_id: str | None = None
    text: str | None = None
    audience: Audience = "room"
    recipient: UUID | None = None
    reply_to: int | None = None
    target: int | None = None
    detail: dict[str, Any] | None = None

    def values(self) -> dict[str, object]:
        """Return what the database stores of it."""
        return {name: getattr(self, name) for name in STORED}

    def logged(self, offset: int) -> LoggedEntry:
        """Return it as it stands in the log."""
        return LoggedEntry(offset=offset, edited_at=None, removed_at=None, **msgspec.structs.asdict(self))


class LoggedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a log; an edit bears the text that its message has now."""

    room_id: UUID
    offset: int
    kind: Kind
    actor: UUID
    name: str
    at: datetime
    client_id: str | None
    text: str | None
    audience: Audience
    recipient: UUID | None
    reply_to: int | None
    target: int | None
    detail: dict[str, Any] | None
    edited_at: datetime | None
    removed_at: datetime | None

    def concerned(self) -> tuple[UUID, ...] | None:
        """Return who sees it beside those who moderate, None for everybody."""
        if self.audience == "room":
            return None
        return (self.actor,) if self.recipient is None else (self.actor, self.recipient)


#: What of a new entry is stored in columns of its own; the name is looked up when the log is read.
STORED: Final = tuple(name for name in NewEntry.__struct_fields__ if name != "name")

_target: Final = entries.alias("target")
_EDITED: Final = entries.c.kind == sa.literal_column("'edited'")


def _column(name: str) -> sa.ColumnElement[Any]:
    if name == "name":
        return sa.func.coalesce(people.c.display_name, sa.literal_column("''")).label("name")
    if name == "text":
        return sa.case((_EDITED, _target.c.text), else_=entries.c.text).label("text")
    return entries.c[name]


#: Selects `LoggedEntry`s, to be narrowed and ordered.
LOGGED: Final = sa.select(*(_column(name) for name in LoggedEntry.__struct_fields__)).select_from(
    entries.outerjoin(people, people.c.user_id == entries.c.actor).outerjoin(
        _target,
        sa.and_(_EDITED, _target.c.room_id == entries.c.room_id, _target.c.offset == entries.c.target),
    )
)
