"""The history of a room as one person may see it, and as everybody may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, Page, PageQuery, page
from kernel.contracts.chat import Message, Position
from kernel.contracts.chat_http import MessageView, OwnRoom
from kernel.database import Query
from plugins.chat.entries import LOGGED, LoggedEntry
from plugins.chat.frames import Encoded, Recovered
from plugins.chat.log import Log
from plugins.chat.rooms import ROOM_COLUMNS
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standing
from plugins.chat.tables import entries, members, reactions, rooms

BEGINNING: Final = 2**62  # an offset behind every other

_SAID: Final = (
    entries.c.room_id == bindparam("room_id"),
    entries.c.kind == sa.literal_column("'message'"),
    entries.c.removed_at.is_(None),
)
_PUBLIC: Final = entries.c.audience == sa.literal_column("'room'")
_CONCERNED: Final = sa.or_(
    _PUBLIC,
    bindparam("staff", type_=sa.Boolean()),
    entries.c.actor == bindparam("person"),
    entries.c.recipient == bindparam("person"),
)
#: What `person` may see, the newest first.
HISTORY: Final = Query(
    LOGGED.where(*_SAID, _CONCERNED, entries.c.offset < bindparam("before"))
    .order_by(entries.c.offset.desc())
    .limit(bindparam("limit")),
    LoggedEntry,
)
#: What everybody may see, in order.
PUBLIC: Final = Query(
    LOGGED.where(*_SAID, _PUBLIC, entries.c.offset > bindparam("after"))
    .order_by(entries.c.offset)
    .limit(bindparam("limit")),
    LoggedEntry,
)
#: All of it, in order.
ALL: Final = Query(
    LOGGED.where(*_SAID, entries.c.offset > bindparam("after")).order_by(entries.c.offset).limit(bindparam("limit")),
    LoggedEntry,
)


class _Signs(msgspec.Struct, frozen=True):
    offset: int
    emoji: str
    number: int
    own: bool


_OWN: Final = sa.func.max(sa.case((reactions.c.user_id == bindparam("person"), 1), else_=0)) == 1
SIGNS: Final = Query(
    sa.select(reactions.c.offset, reactions.c.emoji, sa.func.count().label("number"), _OWN.label("own"))
    .where(reactions.c.room_id == bindparam("room_id"), reactions.c.offset.in_(bindparam("offsets", expanding=True)))
    .group_by(reactions.c.offset, reactions.c.emoji)
    .order_by(reactions.c.offset, reactions.c.emoji),
    _Signs,
)
OWN_ROOMS: Final = Query(
    sa.select(*ROOM_COLUMNS, rooms.c.epoch, rooms.c.last_offset, members.c.read_to)
    .join_from(members, rooms, rooms.c.id == members.c.room_id)
    .where(members.c.user_id == bindparam("person"), members.c.banned.is_(sa.false()), rooms.c.id > bindparam("after"))
    .order_by(rooms.c.id)
    .limit(bindparam("limit")),
    OwnRoom,
)


class Reading:
    """Reads what was said."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._db = ctx.db
        self._log = ctx.own(Log)
        self._limit = ctx.settings.recovery_limit

    async def history(self, standing: Standing, query: PageQuery) -> Page[MessageView]:
        """Return a page of what the person may see, the newest first."""
        found = await self._db.all(
            HISTORY,
            room_id=standing.room.id,
            person=standing.user_id,
            staff=standing.staff,
            before=query.after(int) or BEGINNING,
            limit=query.limit + 1,
        )
        rows = page(found, query, lambda entry: entry.offset)
        signs = await self._signs(standing, [entry.offset for entry in rows.items])
        return Page([_view(entry, signs.get(entry.offset, ())) for entry in rows.items], rows.next)

    async def public(self, room_id: UUID, after: int, limit: int) -> Sequence[Message]:
        """Return what everybody may see behind *after*, in order."""
        found = await self._db.all(PUBLIC, room_id=room_id, after=after, limit=limit)
        return [_message(entry) for entry in found]

    async def whole(self, room_id: UUID, after: int, limit: int) -> list[LoggedEntry]:
        """Return all messages behind *after*, in order."""
        return await self._db.all(ALL, room_id=room_id, after=after, limit=limit)

    async def since(self, standing: Standing, known: Position) -> Recovered:
        """Return what came after the position that the person knows, or say that it can not be told."""
        room_id = standing.room.id
        reached = await self._log.reached(room_id)
        assert reached is not None  # noqa: S101  # who stands in a room has one, and none is ever removed
        recovered = known.epoch == reached.epoch and 0 <= reached.last_offset - known.offset <= self._limit
        after = known.offset if recovered else reached.last_offset
        found: list[Encoded] = []
        if recovered:
            found = (await self._log.after(room_id, reached.epoch, after, reached.last_offset - after)).entries
            recovered = len(found) == reached.last_offset - after  # or its beginning has just been removed
        return Recovered(epoch=reached.epoch, offset=reached.last_offset, recovered=recovered, entries=found)

    async def own_rooms(self, user_id: UUID, query: PageQuery) -> Page[OwnRoom]:
        """Return a page of the rooms that the person has been in."""
        after = query.after(UUID) or UUID(int=0)
        found = await self._db.all(OWN_ROOMS, person=user_id, after=after, limit=query.limit + 1)
        return page(found, query, lambda room: room.id)

    async def _signs(self, standing: Standing, offsets: Sequence[int]) -> Mapping[int, Sequence[_Signs]]:
        if not offsets:
            return {}
        signs: dict[int, list[_Signs]] = {}
        values = {"room_id": standing.room.id, "person": standing.user_id, "offsets": offsets}
        for row in await self._db.all(SIGNS, **values):
            signs.setdefault(row.offset, []).append(row)
        return signs


def _facts(entry: LoggedEntry) -> dict[str, Any]:
    return {
        "offset": entry.offset,
        "at": entry.at,
        "sender": entry.actor,
        "name": entry.name,
        "text": entry.text or "",
        "audience": entry.audience,
        "reply_to": entry.reply_to,
        "edited_at": entry.edited_at,
    }


def _message(entry: LoggedEntry) -> Message:
    return Message(**_facts(entry))


def _view(entry: LoggedEntry, signs: Sequence[_Signs]) -> MessageView:
    return MessageView(
        **_facts(entry),
        client_id=entry.client_id or "",
        reactions={sign.emoji: sign.number for sign in signs},
        own_reactions=tuple(sign.emoji for sign in signs if sign.own),
    )
