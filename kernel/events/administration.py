"""What an administrator sees and does about events; works without running loops, from the command line."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
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


class Outgoing(msgspec.Struct, frozen=True):
    """How far one plugin's outbox has got."""

    waiting: int
    oldest: datetime | None
    last: int  #: the newest position, 0 before the first


class Incoming(msgspec.Struct, frozen=True):
    """What lies in the inbox for one handler, if anything does."""

    handler: str
    waiting: int
    oldest: datetime | None
    dead: int


class Cursor(msgspec.Struct, frozen=True):
    """How far one handler has received one source."""

    handler: str
    source: str
    position: int


_unpublished = outbox.c.position.is_(None)
OUTGOING: Final = Query(
    sa.select(
        sa.select(sa.func.count()).where(_unpublished).scalar_subquery().label("waiting"),
        sa.select(sa.func.min(outbox.c.created_at)).where(_unpublished).scalar_subquery().label("oldest"),
        sa.select(sa.func.coalesce(sa.func.max(outbox.c.position), 0)).scalar_subquery().label("last"),
    ),
    Outgoing,
)

UNRECEIVED: Final = Query(
    sa.select(sa.func.count().label("events")).where(
        outbox.c.position > bindparam("after", type_=sa.BigInteger),
        outbox.c.type.in_(bindparam("of_types", expanding=True)),
    ),
    int,
)

INCOMING: Final = Query(
    sa.select(
        inbox.c.handler,
        sa.func.count().filter(inbox.c.state == WAITING).label("waiting"),
        sa.func.min(inbox.c.created_at).filter(inbox.c.state == WAITING).label("oldest"),
        sa.func.count().filter(inbox.c.state == DEAD).label("dead"),
    )
    .where(sa.or_(inbox.c.state == WAITING, inbox.c.state == DEAD))
    .group_by(inbox.c.handler),
    Incoming,
)

CURSORS: Final = Query(sa.select(inbox_cursor.c.handler, inbox_cursor.c.source, inbox_cursor.c.position), Cursor)

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

    def wanted_by(self, handler: EventHandler) -> list[str]:
        """Return those of its types that *handler* wants."""
        return [kind for kind in self.types if handler.wants(kind)]


@dataclass(frozen=True)
class Subscriber:
    """A plugin that handles events."""

    db: Database
    handlers: tuple[EventHandler, ...]


class Administration:
    """Looks at and changes what waits for whom."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        subscribers: Mapping[str, Subscriber],
        clock: Clock,
        *,
        wake: Callable[[str], None],
    ) -> None:
        """*wake* has this process read the log of a source again."""
        self._sources = sources
        self._wake = wake
        self._subscribers = subscribers
        self._clock = clock

    async def lag(self) -> Lag:
        """Return what waits where."""
        outgoing = {name: await source.db.one(OUTGOING) for name, source in self._sources.items()}
        unpublished = [Unpublished(name, found.waiting, found.oldest) for name, found in outgoing.items()]
        last = {name: found.last for name, found in outgoing.items()}
        backlogs = [await self._backlogs(plugin, found, last) for plugin, found in self._subscribers.items()]
        return Lag(tuple(unpublished), tuple(itertools.chain.from_iterable(backlogs)))

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
            if handler in (None, wanted.name) and self._sources[source].wanted_by(wanted)
        ]
        if not chosen:
            raise UnknownName(f"no handler {handler or ''} of {plugin or 'any plugin'} wants events of {source}")
        first = since if isinstance(since, int) else await self._sources[source].db.one(FIRST_SINCE, since=since)
        if not first:
            return 0
        replayed = sum([await self._replay(db, wanted, source, first) for db, wanted in chosen])
        self._wake(source)
        return replayed

    async def _replay(self, db: Database, handler: EventHandler, source: str, first: int) -> int:
        log = self._sources[source].log
        events = [entry.id async for entry in _entries(log, first - 1) if handler.wants(entry.type)]
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

    async def _backlogs(self, plugin: str, subscriber: Subscriber, last: Mapping[str, int]) -> list[Backlog]:
        incoming = {found.handler: found for found in await subscriber.db.all(INCOMING)}
        cursors = {(found.handler, found.source): found.position for found in await subscriber.db.all(CURSORS)}
        backlogs = []
        for handler in subscriber.handlers:
            unreceived = await self._unreceived(handler, cursors, last)
            found = incoming.get(handler.name) or Incoming(handler.name, 0, None, 0)
            backlogs.append(Backlog(plugin, handler.name, unreceived, found.waiting, found.oldest, found.dead))
        return backlogs

    async def _unreceived(
        self, handler: EventHandler, cursors: Mapping[tuple[str, str], int], last: Mapping[str, int]
    ) -> int:
        """Return how many events *handler* has not received; a source that it has read to the end is not asked."""
        total = 0
        for name, source in self._sources.items():
            after = cursors.get((handler.name, name), 0)
            wanted = source.wanted_by(handler)
            if wanted and after < last[name]:
                total += await source.db.one(UNRECEIVED, after=after, of_types=wanted)
        return total


async def _entries(log: Log, after: int) -> AsyncIterator[Entry]:
    while entries := await log.after(after):
        for entry in entries:
            yield entry
        after = entries[-1].position
