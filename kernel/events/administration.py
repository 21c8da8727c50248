"""What an administrator sees and does about events; works without running loops, from the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import errors
from kernel.clock import Clock
from kernel.database import Command, Database, Query, Timestamp
from kernel.database.tables import inbox, inbox_cursor, outbox
from kernel.events.event import EventHandler
from kernel.events.outbox import Entry, Log
from kernel.events.worker import WAITING

DEAD: Final[sa.ColumnElement[str]] = sa.literal_column("'dead'")


class Unpublished(msgspec.Struct, frozen=True):
    """What waits in one plugin's outbox for its relay."""

    plugin: str
    waiting: int
    oldest: datetime | None  #: when the oldest of them was written


class Backlog(msgspec.Struct, frozen=True):
    """What waits for one handler."""

    plugin: str
    handler: str
    unreceived: int  #: published, not in the inbox yet
    waiting: int  #: in the inbox, to be handled
    oldest: datetime | None  #: when the oldest of those was written
    dead: int


class Lag(msgspec.Struct, frozen=True):
    """How far everything is behind."""

    sources: tuple[Unpublished, ...]
    handlers: tuple[Backlog, ...]


class DeadEvent(msgspec.Struct, frozen=True):
    """An event that a handler failed to handle as often as is tried."""

    plugin: str
    handler: str
    event_id: UUID
    source: str
    type: str
    key: str
    attempts: int
    created_at: datetime
    last_error: str | None


_plugin = bindparam("of_plugin", type_=sa.Text).label("plugin")

UNPUBLISHED: Final = Query(
    sa.select(_plugin, sa.func.count().label("waiting"), sa.func.min(outbox.c.created_at).label("oldest")).where(
        outbox.c.position.is_(None)
    ),
    Unpublished,
)

UNRECEIVED: Final = Query(
    sa.select(sa.func.count().label("events")).where(
        outbox.c.position > bindparam("after", type_=sa.BigInteger), outbox.c.type == bindparam("of_type")
    ),
    int,
)

BACKLOG: Final = Query(
    sa.select(
        _plugin,
        bindparam("of_handler", type_=sa.Text).label("handler"),
        bindparam("unreceived_events", type_=sa.BigInteger).label("unreceived"),
        sa.func.count().filter(inbox.c.state == WAITING).label("waiting"),
        sa.func.min(inbox.c.created_at).filter(inbox.c.state == WAITING).label("oldest"),
        sa.func.count().filter(inbox.c.state == DEAD).label("dead"),
    ).where(
        inbox.c.handler == bindparam("of_handler", type_=sa.Text),
        sa.or_(inbox.c.state == WAITING, inbox.c.state == DEAD),
    ),
    Backlog,
)

CURSOR: Final = Query(
    sa.select(inbox_cursor.c.position).where(
        inbox_cursor.c.handler == bindparam("of_handler"), inbox_cursor.c.source == bindparam("of_source")
    ),
    int,
)

DEAD_EVENTS: Final = Query(
    sa.select(_plugin, *(inbox.c[name] for name in DeadEvent.__struct_fields__ if name != "plugin"))
    .where(inbox.c.state == DEAD)
    .order_by(inbox.c.seq),
    DeadEvent,
)

_retry = sa.update(inbox).where(inbox.c.state == DEAD)
_retried = {"state": WAITING, "attempts": 0, "next_at": bindparam("now", type_=Timestamp)}
RETRY: Final = Command(_retry.where(inbox.c.event_id == bindparam("of_event")).values(_retried))
RETRY_ALL: Final = Command(_retry.values(_retried))

FIRST_SINCE: Final = Query(
    sa.select(sa.func.coalesce(sa.func.min(outbox.c.position), 0).label("first")).where(
        outbox.c.published_at >= bindparam("since", type_=Timestamp)
    ),
    int,
)

REWIND: Final = Command(
    sa.update(inbox_cursor)
    .where(
        inbox_cursor.c.handler == bindparam("of_handler"),
        inbox_cursor.c.source == bindparam("of_source"),
        inbox_cursor.c.position > bindparam("last_kept"),
    )
    .values(position=bindparam("last_kept"))
)

FORGET: Final = Command(
    sa.delete(inbox).where(inbox.c.handler == bindparam("of_handler"), inbox.c.event_id == bindparam("of_event"))
)


class UnknownName(errors.LyceumError):
    """Name an enabled plugin that publishes events, or a handler of one; `lyceum events lag` lists both."""


@dataclass(frozen=True)
class Source:
    """A plugin that publishes events of *types* (wire names)."""

    log: Log
    db: Database
    types: frozenset[str]


@dataclass(frozen=True)
class Subscriber:
    """A plugin that handles events."""

    db: Database
    handlers: tuple[EventHandler, ...]


class Administration:
    """Looks at and changes what waits for whom."""

    def __init__(self, sources: Mapping[str, Source], subscribers: Mapping[str, Subscriber], clock: Clock) -> None:
        self._sources = sources
        self._subscribers = subscribers
        self._clock = clock

    async def lag(self) -> Lag:
        """Return what waits where."""
        unpublished = [await source.db.one(UNPUBLISHED, of_plugin=name) for name, source in self._sources.items()]
        backlogs = [
            await self._backlog(plugin, subscriber, handler)
            for plugin, subscriber in self._subscribers.items()
            for handler in subscriber.handlers
        ]
        return Lag(tuple(unpublished), tuple(backlogs))

    async def dead(self, plugin: str | None = None) -> list[DeadEvent]:
        """Return the dead events of *plugin*, or of all plugins, the oldest first."""
        return [
            event
            for name, subscriber in self._chosen(plugin)
            for event in await subscriber.db.all(DEAD_EVENTS, of_plugin=name)
        ]

    async def retry(self, plugin: str | None = None, ids: Sequence[UUID] = ()) -> int:
        """Give dead events all their attempts again: those of *ids*, or all; return for how many handlings."""
        now, total = self._clock.now(), 0
        for _, subscriber in self._chosen(plugin):
            if ids:
                total += sum([await subscriber.db.run(RETRY, of_event=id_, now=now) for id_ in ids])
            else:
                total += await subscriber.db.run(RETRY_ALL, now=now)
        return total

    async def replay(
        self, source: str, since: datetime | int, *, plugin: str | None = None, handler: str | None = None
    ) -> int:
        """Have handlers see the kept events of *source* again; return for how many handlings.

        *since* is a time of publication or a position. Without *plugin* and *handler* it is for all handlers. What
        they had handled, they handle once more: it is for handlers that may.

        Raises:
            UnknownName: there is no such source, plugin or handler.
        """
        if source not in self._sources:
            raise UnknownName(f"{source!r} publishes no events; {', '.join(self._sources)} do")
        chosen = [
            (subscriber.db, wanted)
            for _, subscriber in self._chosen(plugin)
            for wanted in subscriber.handlers
            if handler in (None, wanted.name) and wanted.event.name in self._sources[source].types
        ]
        if not chosen:
            raise UnknownName(f"no handler {handler or ''} of {plugin or 'any plugin'} wants events of {source}")
        first = since if isinstance(since, int) else await self._sources[source].db.one(FIRST_SINCE, since=since)
        return sum([await self._replay(db, wanted, source, first) for db, wanted in chosen]) if first else 0

    async def _replay(self, db: Database, handler: EventHandler, source: str, first: int) -> int:
        log, wanted = self._sources[source].log, handler.event.name
        events = [entry.id async for entry in _entries(log, first - 1) if entry.type == wanted]
        # The rows go and come again with the cursor, so that they are handled in the order of the log.
        async with db.transaction() as session:
            await session.run(REWIND, of_handler=handler.name, of_source=source, last_kept=first - 1)
            if events:
                await session.run_many(FORGET, [{"of_handler": handler.name, "of_event": id_} for id_ in events])
        return len(events)

    def _chosen(self, plugin: str | None) -> list[tuple[str, Subscriber]]:
        if plugin is not None and plugin not in self._subscribers:
            raise UnknownName(f"{plugin!r} handles no events; {', '.join(self._subscribers)} do")
        return [(name, found) for name, found in self._subscribers.items() if plugin in (None, name)]

    async def _backlog(self, plugin: str, subscriber: Subscriber, handler: EventHandler) -> Backlog:
        unreceived = await self._unreceived(subscriber.db, handler)
        names = {"of_plugin": plugin, "of_handler": handler.name}
        return await subscriber.db.one(BACKLOG, unreceived_events=unreceived, **names)

    async def _unreceived(self, db: Database, handler: EventHandler) -> int:
        total, wanted = 0, handler.event.name
        for name, source in self._sources.items():
            if wanted in source.types:
                after = await db.first(CURSOR, of_handler=handler.name, of_source=name)
                total += await source.db.one(UNRECEIVED, after=after or 0, of_type=wanted)
        return total


async def _entries(log: Log, after: int) -> AsyncIterator[Entry]:
    while entries := await log.after(after):
        for entry in entries:
            yield entry
        after = entries[-1].position
