"""Reading a room's log: what came after an offset, what was last, and how far it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.database import Command, Database, Query
from plugins.chat.entries import LOGGED, LoggedEntry
from plugins.chat.frames import Batch, encoded
from plugins.chat.settings import ChatSettings
from plugins.chat.tables import entries, rooms

#: How far a new epoch leaps, so that no offset of the lost end of a log is ever given again.
LEAP: Final = 1_000_000


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How far the log of a room goes."""

    id: UUID
    epoch: UUID
    last_offset: int


_REACHED: Final = sa.select(*(rooms.c[name] for name in Reached.__struct_fields__))
REACHED: Final = Query(_REACHED.where(rooms.c.id == bindparam("room_id")), Reached)
ALL_REACHED: Final = Query(_REACHED.where(rooms.c.id.in_(bindparam("ids", expanding=True))), Reached)
AFTER: Final = Query(
    LOGGED.where(entries.c.room_id == bindparam("room_id"), entries.c.offset > bindparam("after"))
    .order_by(entries.c.offset)
    .limit(bindparam("limit")),
    LoggedEntry,
)
LAST: Final = Query(
    LOGGED.where(entries.c.room_id == bindparam("room_id")).order_by(entries.c.offset.desc()).limit(bindparam("limit")),
    LoggedEntry,
)
#: For a log that is found to be shorter than it was. Of several processes that find it, one has its way.
RENEW: Final = Command(
    sa.update(rooms)
    .where(rooms.c.id == bindparam("room_id"), rooms.c.epoch == bindparam("old"))
    .values(
        epoch=bindparam("new"),
        last_offset=sa.case(
            (rooms.c.last_offset < bindparam("known", type_=sa.BigInteger()), bindparam("known")),
            else_=rooms.c.last_offset,
        )
        + LEAP,
    )
)


class Log:
    """The logs of all rooms, which are the truth about what was said in them."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._db: Database = ctx.db

    async def reached(self, room_id: UUID) -> Reached | None:
        """Return how far the room's log goes, None when there is no room."""
        return await self._db.first(REACHED, room_id=room_id)

    async def all_reached(self, ids: Sequence[UUID]) -> list[Reached]:
        """Return how far the logs of those rooms go that exist, in one query."""
        return await self._db.all(ALL_REACHED, ids=list(ids))

    async def after(self, room_id: UUID, epoch: UUID, offset: int, limit: int) -> Batch:
        """Return up to *limit* entries behind *offset*."""
        found = await self._db.all(AFTER, room_id=room_id, after=offset, limit=limit)
        return Batch(room_id, epoch, [encoded(entry) for entry in found])

    async def last(self, room_id: UUID, epoch: UUID, limit: int) -> Batch:
        """Return the last *limit* entries, in their order."""
        found = await self._db.all(LAST, room_id=room_id, limit=limit)
        return Batch(room_id, epoch, [encoded(entry) for entry in reversed(found)])

    async def renew(self, reached: Reached, known: int, new: UUID) -> None:
        """Begin a new epoch of a room: its log ends before *known*, an offset that was given in the present one."""
        await self._db.run(RENEW, room_id=reached.id, old=reached.epoch, new=new, known=known)
