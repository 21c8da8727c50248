"""What was said long ago goes, where `keep_days` says so: from the log, and so from every history and export.

A log loses its beginning and gets a new epoch in the same transaction: no position that a client or a process knows
leads to a part of it that is not there any more, and nobody is told that they have everything.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, new_id
from kernel.database import Command, Query
from plugins.chat.hot import hot_history
from plugins.chat.log import LEAP, Log
from plugins.chat.putting_out import PuttingOut
from plugins.chat.settings import ChatSettings
from plugins.chat.tables import entries, held, reactions, reports, rooms

EVERY: Final = 3600.0  # seconds
ROOMS_AT_ONCE: Final = 500
PAGE: Final = 1000  # entries that go in one transaction


class _Room(msgspec.Struct, frozen=True):
    """A room, and when its log begins; None where it has no entry."""

    id: UUID
    begins: datetime | None


class _Dated(msgspec.Struct, frozen=True):
    """When the entry at an offset was made."""

    offset: int
    at: datetime


_FIRST: Final = (
    sa.select(entries.c.at)
    .where(entries.c.room_id == rooms.c.id)
    .order_by(entries.c.offset)
    .limit(sa.literal_column("1"))
    .scalar_subquery()
)
ROOMS: Final = Query(
    sa.select(rooms.c.id, _FIRST.label("begins"))
    .where(rooms.c.id > bindparam("after"))
    .order_by(rooms.c.id)
    .limit(bindparam("limit")),
    _Room,
)
BEGINNING: Final = Query(
    sa.select(entries.c.offset, entries.c.at)
    .where(entries.c.room_id == bindparam("room_id"))
    .order_by(entries.c.offset)
    .limit(bindparam("limit")),
    _Dated,
)


def _up_to(table: sa.Table) -> Command:
    """Return what removes the rows of *table* that belong to the beginning of a log."""
    return Command(
        sa.delete(table).where(table.c.room_id == bindparam("room_id"), table.c.offset <= bindparam("up_to"))
    )


REMOVE_WITH_THEM: Final = (_up_to(reactions), _up_to(reports))
REMOVE: Final = _up_to(entries)
#: Messages that nobody has approved since.
REMOVE_HELD: Final = Command(
    sa.delete(held).where(
        held.c.room_id.in_(bindparam("rooms", expanding=True)),
        held.c.state == sa.literal_column("'waiting'"),
        held.c.at < bindparam("before"),
    )
)
RENEW: Final = Command(
    sa.update(rooms)
    .where(rooms.c.id == bindparam("room_id"))
    .values(epoch=bindparam("new"), last_offset=rooms.c.last_offset + LEAP)
)


class Expiring:
    """Removes what is older than the institution keeps it."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._db = ctx.db
        self._clock = ctx.clock
        self._days = ctx.settings.keep_days
        self._log = ctx.own(Log)
        self._hot = hot_history(ctx)
        self._putting_out = ctx.own(PuttingOut)

    async def expire(self) -> None:
        """Remove it from all rooms. Of several processes that do so at once each removes what it comes to first."""
        before = self._clock.now() - timedelta(days=self._days)
        shortened = [room_id async for room_id in self._old(before) if await self._shorten(room_id, before)]
        if shortened:
            await self._putting_out.logs_renewed()

    async def _old(self, before: datetime) -> AsyncIterator[UUID]:
        """Yield the rooms whose logs begin before that; what waited so long for approval in any of them goes."""
        after = UUID(int=0)
        while found := await self._db.all(ROOMS, after=after, limit=ROOMS_AT_ONCE):
            await self._db.run(REMOVE_HELD, rooms=[room.id for room in found], before=before)
            for room in found:
                if room.begins is not None and room.begins < before:
                    yield room.id
            after = found[-1].id

    async def _shorten(self, room_id: UUID, before: datetime) -> bool:
        """Take the old beginning from a log; return whether that was done here."""
        shortened = False
        while (up_to := await self._end_of_old(room_id, before)) is not None:
            async with self._db.transaction() as session:
                for command in REMOVE_WITH_THEM:
                    await session.run(command, room_id=room_id, up_to=up_to)
                removed = await session.run(REMOVE, room_id=room_id, up_to=up_to)
                if removed and not shortened:
                    await session.run(RENEW, room_id=room_id, new=new_id())
                    shortened = True
        if shortened and (reached := await self._log.reached(room_id)) is not None:
            await self._hot.forget(room_id, reached.last_offset)
        return shortened

    async def _end_of_old(self, room_id: UUID, before: datetime) -> int | None:
        """Return the offset up to which the beginning of the log is old, within a page of it."""
        beginning = await self._db.all(BEGINNING, room_id=room_id, limit=PAGE)
        old = [entry.offset for entry in itertools.takewhile(lambda entry: entry.at < before, beginning)]
        return old[-1] if old else None
