"""The receiver: writes what other plugins published into one plugin's inbox, each event once and in order.

`inbox_cursor` holds, for each handler and source, the position up to which the inbox has everything. The transport's
entries are used only where they follow the cursor without a hole; otherwise the source's log is read. The cursor moves
by a conditional update in the transaction that fills the inbox, so of several processes that try at once one wins and
the others find nothing left to do.

What a handler says is settled when it arrives never reaches the inbox: the cursor passes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is compiled for SQLite too
from structlog.typing import FilteringBoundLogger

from kernel.clock import Clock
from kernel.database import Command, Database, Query, Session, Timestamp
from kernel.database.tables import inbox, inbox_cursor
from kernel.events.deliveries import Deliveries
from kernel.events.event import EventHandler
from kernel.events.outbox import Entry, Log
from kernel.events.settings import EventSettings
from kernel.failpoints import failpoint

MOST_OFFERED: Final = 5_000  # entries; a receiver that is further behind drops them and reads the log

RECEIVED: Final = failpoint("events.received")  # in the transaction that fills the inbox


class Cursor(msgspec.Struct, frozen=True):
    """How far one handler has read the source."""

    handler: str
    position: int


CURSORS: Final = Query(
    sa.select(inbox_cursor.c.handler, inbox_cursor.c.position).where(inbox_cursor.c.source == bindparam("of_source")),
    Cursor,
)

BEGIN: Final = Command(
    insert(inbox_cursor)
    .values(handler=bindparam("by_handler"), source=bindparam("of_source"), position=sa.literal_column("0"))
    .on_conflict_do_nothing(index_elements=["handler", "source"])
)

MOVE: Final = Command(
    sa.update(inbox_cursor)
    .where(
        inbox_cursor.c.handler.in_(bindparam("handlers", expanding=True)),
        inbox_cursor.c.source == bindparam("of_source"),
        inbox_cursor.c.position == bindparam("moved_from"),
    )
    .values(position=bindparam("moved_to"))
)

REWIND: Final = Command(
    sa.update(inbox_cursor)
    .where(inbox_cursor.c.source == bindparam("of_source"), inbox_cursor.c.position > bindparam("last"))
    .values(position=sa.literal_column("0"))
)

RECEIVE: Final = Command(
    insert(inbox)
    .values(
        handler=bindparam("in_handler"),
        event_id=bindparam("in_event_id"),
        source=bindparam("in_source"),
        type=bindparam("in_type"),
        key=bindparam("in_key"),
        data=bindparam("in_data"),
        correlation_id=bindparam("in_correlation_id"),
        causation_id=bindparam("in_causation_id"),
        created_at=bindparam("in_created_at"),
        next_at=bindparam("in_next_at", type_=Timestamp),
        state=sa.literal_column("'waiting'"),
        attempts=sa.literal_column("0"),
    )
    .on_conflict_do_nothing(index_elements=["handler", "event_id"])
)


class _Overtaken(Exception):
    """Another process moved the cursor meanwhile."""


class Receiver:
    """Fills one plugin's inbox from the logs of its sources."""

    def __init__(
        self,
        db: Database,
        handlers: Sequence[EventHandler],
        sources: Sequence[Log],
        *,
        received: Callable[[Iterable[str]], None],
        settings: EventSettings,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._db = db
        self._handlers = handlers
        self._settling = {handler: Deliveries(handler, settings) for handler in handlers if handler.settled}
        self._sources = {source.plugin: source for source in sources}
        self._received = received
        self._clock = clock
        self._log = log
        self._offered: dict[str, list[Entry]] = {name: [] for name in self._sources}
        self._behind = set(self._sources)
        self._one_at_a_time = asyncio.Lock()
        self.leads = True  #: whether the last `receive` found anything that no other process had received

    def offer(self, source: str, entries: Sequence[Entry]) -> None:
        """Take what the transport brought; the next `receive` uses it if it can. None at all: read the log."""
        offered = self._offered[source]
        if not entries or len(offered) + len(entries) > MOST_OFFERED:
            offered.clear()
            self._behind.add(source)
        else:
            offered.extend(entries)

    def look_everywhere(self) -> None:
        """Make the next `receive` read the log of every source."""
        self._behind.update(self._sources)

    async def receive(self) -> int:
        """Bring the inbox up to date with what was offered or must be read; return the number of rows written."""
        async with self._one_at_a_time:
            self.leads = False
            try:
                return sum([await self._receive_from(source) for source in self._sources.values()])
            except BaseException:
                self.look_everywhere()
                raise

    async def _receive_from(self, source: Log) -> int:
        written = 0
        while self._offered[source.plugin] or source.plugin in self._behind:
            cursors = await self._cursors(source)
            entries = await self._next_entries(source, min(cursors.values()))
            if entries:
                written += await self._store(source, cursors, entries)
        return written

    async def _cursors(self, source: Log) -> dict[str, int]:
        found = {cursor.handler: cursor.position for cursor in await self._db.all(CURSORS, of_source=source.plugin)}
        wanted = [handler.name for handler in self._handlers]
        for handler in wanted:
            if handler not in found:  # a new handler begins with the oldest event that the source has kept
                await self._db.run(BEGIN, by_handler=handler, of_source=source.plugin)
        return {handler: found.get(handler, 0) for handler in wanted}

    async def _next_entries(self, source: Log, after: int) -> list[Entry]:
        name = source.plugin
        fresh = {entry.position: entry for entry in self._offered[name] if entry.position > after}
        self._offered[name] = list(fresh.values())
        if name not in self._behind:
            following = _without_hole(fresh, after)
            if following or not fresh:
                return following
        self._behind.discard(name)
        entries = await source.after(after)
        if entries:
            self._behind.add(name)
            self._warn_of_deleted(name, after, entries[0])
        else:
            # What was offered and is not in the log was never published here: the stream is another deployment's.
            self._offered[name] = [entry for entry in self._offered[name] if entry.position not in fresh]
            await self._follow_back(source, after)
        return entries

    async def _follow_back(self, source: Log, after: int) -> None:
        """Begin anew with a log that ends before what was read of it: it was restored from a backup.

        Its new events have positions that were read before. The inbox still knows those of its old ones.
        """
        last = await source.last()
        if last < after:
            await self._db.run(REWIND, of_source=source.plugin, last=last)
            self._behind.add(source.plugin)
            self._log.error(
                "the log of events was set back; it is read again from its beginning",
                action="events.rewound",
                source=source.plugin,
                read=after,
                last=last,
            )

    async def _store(self, source: Log, cursors: Mapping[str, int], entries: Sequence[Entry]) -> int:
        rows = [
            self._row(handler.name, source.plugin, entry)
            for handler in self._handlers
            for entry in await self._open(handler, source.plugin, entries, cursors[handler.name])
        ]
        try:
            async with self._db.transaction() as session:
                await self._move(session, source.plugin, cursors, entries[-1].position)
                if rows:
                    await session.run_many(RECEIVE, rows)
                    await RECEIVED()
        except _Overtaken:
            return 0
        self._offered[source.plugin] = [e for e in self._offered[source.plugin] if e.position > entries[-1].position]
        self.leads = True
        self._received({str(row["in_handler"]) for row in rows})
        return len(rows)

    async def _open(self, handler: EventHandler, source: str, entries: Sequence[Entry], after: int) -> list[Entry]:
        """Return those behind *after* that *handler* has to handle."""
        wanted = [entry for entry in entries if handler.wants(entry.type) and entry.position > after]
        settling = self._settling.get(handler)
        if settling is None or not wanted:
            return wanted
        try:
            deliveries = [settling.make(entry, source) for entry in wanted]
            async with self._db.transaction() as session:
                settled = await settling.settled(session, deliveries)
        except Exception as error:
            # The worker asks again, and a failure there counts for the event that caused it.
            facts = {"handler": handler.name, "error": repr(error)}
            self._log.warning("nothing is known to be settled", action="events.unsettled", **facts)
            return wanted
        return [entry for entry in wanted if entry.id not in settled]

    async def _move(self, session: Session, source: str, cursors: Mapping[str, int], to: int) -> None:
        for position in sorted(set(cursors.values())):  # almost always one
            handlers = sorted(handler for handler, at in cursors.items() if at == position)
            values = {"handlers": handlers, "of_source": source, "moved_from": position, "moved_to": to}
            if position < to and await session.run(MOVE, **values) < len(handlers):
                raise _Overtaken

    def _row(self, handler: str, source: str, entry: Entry) -> dict[str, object]:
        return {
            "in_handler": handler,
            "in_event_id": entry.id,
            "in_source": source,
            "in_type": entry.type,
            "in_key": entry.key,
            "in_data": entry.data,
            "in_correlation_id": entry.correlation_id,
            "in_causation_id": entry.causation_id,
            "in_created_at": entry.created_at,
            "in_next_at": self._clock.now(),
        }

    def _warn_of_deleted(self, source: str, after: int, first: Entry) -> None:
        if after and first.position > after + 1:
            self._log.error(
                "events were deleted before they were received; the plugin was off for longer than they are kept",
                action="events.missed",
                source=source,
                first=after + 1,
                last=first.position - 1,
            )


def _without_hole(entries: Mapping[int, Entry], after: int) -> list[Entry]:
    following: list[Entry] = []
    while entry := entries.get(after + len(following) + 1):
        following.append(entry)
    return following
