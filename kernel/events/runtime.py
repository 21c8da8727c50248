"""The events of one process: who publishes, who subscribes, and the loops that carry events from one to the other.

    publish → outbox → relay → transport → receiver → inbox → worker → handler

Everything exact happens in the databases; the transport only makes it quick. See `outbox`, `relay`, `transport`,
`receiver` and `worker`, in this order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from redis.asyncio import Redis
from structlog.typing import FilteringBoundLogger

from kernel.clock import Clock
from kernel.containment.containment import Containment
from kernel.context import Events
from kernel.database import Database
from kernel.database.opening import OpenDatabase
from kernel.events.administration import Administration, Source, Subscriber
from kernel.events.broadcast import Broadcast
from kernel.events.consumer import REST, Consumer
from kernel.events.event import AnyEvent, Event, EventHandler
from kernel.events.loop import Activity, Loop, Work
from kernel.events.outbox import Entry, Log, Outbox
from kernel.events.relay import Relay
from kernel.events.retention import Retention
from kernel.events.settings import EventSettings
from kernel.events.traces import PluginTraces
from kernel.events.transport import InProcess, RedisStreams, Transport
from kernel.redaction import Personal
from kernel.traces import Traces

SETTLE_PAUSE: Final = 0.01  # seconds, while a loop or another process is at it


class EventRuntime:
    """Carries the events of all plugins in one process; any number of processes may share the databases."""

    def __init__(
        self,
        *,
        redis: Redis | None,
        clock: Clock,
        log: FilteringBoundLogger,
        settings: EventSettings | None = None,
        containment: Containment | None = None,
    ) -> None:
        self._clock = clock
        self._log = log
        self._settings = settings or EventSettings()
        self._containment = containment or Containment(clock=clock, log=log)
        self._activity = Activity()
        self._broadcast = Broadcast(redis, log)
        self._streams = RedisStreams(redis, self._deliver, log) if redis is not None else None
        self._transport: Transport = self._streams or InProcess(self._deliver)
        self._databases: dict[str, Database] = {}
        self._relays: dict[str, Relay] = {}
        self._relaying: dict[str, Loop] = {}
        self._sources: dict[str, Source] = {}
        self._subscribers: dict[str, Subscriber] = {}
        self._consumers: dict[str, Consumer] | None = None
        self._personal: dict[str, Personal] = {}
        self.administration = Administration(
            self._sources, self._subscribers, clock, wake=lambda source: self._deliver(source, ())
        )

    def add(self, plugin: str, db: Database, publishes: tuple[type[Event], ...]) -> Events:
        """Make *plugin* known, whose database is *db*; return its `ctx.events`."""
        outbox = Outbox(
            plugin, publishes, clock=self._clock, broadcast=self._broadcast, wake=lambda: self._wake_relay(plugin)
        )
        self._databases[plugin] = db
        self._personal |= {event.name: event.personal for event in publishes}
        if publishes:
            self._add_source(plugin, db, publishes)
        return outbox

    def remove(self, plugin: str) -> None:
        """Forget *plugin*, which failed before events were carried: what it publishes and wants waits."""
        for known in (self._databases, self._relays, self._relaying, self._sources, self._subscribers):
            known.pop(plugin, None)
        self._consumers = None

    def traces(self, plugin: str, db: OpenDatabase) -> Traces:
        """Return what the kernel keeps of people in the database of *plugin*."""
        return PluginTraces(plugin, db, personal=self._personal, transport=self._transport)

    def subscribe(self, plugin: str, handlers: Sequence[EventHandler]) -> None:
        """Have *handlers* of *plugin*, added before, called with the events of whoever publishes them.

        A handler that is new begins with the oldest event that is kept.

        """
        if handlers:
            self._subscribers[plugin] = Subscriber(self._databases[plugin], tuple(handlers))
            named = [handler.event for handler in handlers if handler.event is not AnyEvent]
            self._personal |= {event.name: event.personal for event in named}
            self._consumers = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Carry events while the block runs; at its end let running handlers finish, for as long as settings allow."""
        sweeping = self._loop(self._sweep, self._settings.sweep, self._log)
        loops = [sweeping, *self._relaying.values()]
        loops += [loop for consumer in self._assembled().values() for loop in consumer.loops]
        listening = [asyncio.create_task(self._broadcast.run(), name="events: broadcasts")]
        if self._streams is not None and self._sources:
            listening.append(asyncio.create_task(self._streams.listen(list(self._sources)), name="events: streams"))
        tasks = [asyncio.create_task(loop.run(), name="events") for loop in loops]
        try:
            yield
        finally:
            for loop in loops:
                loop.stop()
            await _end(listening, after=0)
            await _end(tasks, after=self._settings.drain)

    async def settle(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109  # the message says what still waits
        """Return when nothing is unpublished, unreceived or due; do the work here if no loops run.

        Raises:
            TimeoutError: something still waits after *timeout* seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                while not await self._is_settled():  # noqa: ASYNC110  # other processes set no Event of ours
                    await asyncio.sleep(SETTLE_PAUSE)
        except TimeoutError as error:
            raise TimeoutError(f"after {timeout:g} s events still wait: {await self.administration.lag()}") from error

    def _add_source(self, plugin: str, db: Database, publishes: tuple[type[Event], ...]) -> None:
        relay = Relay(plugin, db, transport=self._transport, clock=self._clock)
        settings = self._settings
        seconds = settings.poll if db.dialect == "postgresql" else settings.poll_alone
        self._relays[plugin] = relay
        self._relaying[plugin] = self._loop(_relaying(relay), seconds, self._log.bind(plugin=plugin))
        self._sources[plugin] = Source(Log(plugin, db), db, frozenset(event.name for event in publishes))
        self._consumers = None

    def _assembled(self) -> dict[str, Consumer]:
        # Not before all plugins are known: a handler's sources may be added after it.
        if self._consumers is None:
            self._consumers = {plugin: self._consumer(plugin) for plugin in self._subscribers}
        return self._consumers

    def _consumer(self, plugin: str) -> Consumer:
        subscriber = self._subscribers[plugin]
        return Consumer(
            plugin,
            subscriber.db,
            subscriber.handlers,
            [source.log for source in self._sources.values() if any(map(source.wanted_by, subscriber.handlers))],
            settings=self._settings,
            activity=self._activity,
            containment=self._containment,
            clock=self._clock,
            log=self._log.bind(plugin=plugin),
        )

    def _loop(self, work: Work, seconds: float, log: FilteringBoundLogger) -> Loop:
        return Loop(work, seconds=seconds, activity=self._activity, log=log)

    def _deliver(self, source: str, entries: Sequence[Entry]) -> None:
        for consumer in self._assembled().values():
            consumer.offer(source, entries)

    def _wake_relay(self, plugin: str) -> None:
        if plugin in self._relaying:
            self._relaying[plugin].wake()

    async def _sweep(self, woken: bool) -> float:
        for plugin, db in self._databases.items():
            try:
                await Retention(db, settings=self._settings, clock=self._clock).sweep()
            except Exception:  # the logs of the others are not to grow while one database is down
                self._log.exception("sweep failed", action="sweep", plugin=plugin)
        return 0

    async def _is_settled(self) -> bool:
        begun = self._activity.begun
        done = sum([await relay.publish() for relay in self._relays.values()])
        done += sum([await consumer.step() for consumer in self._assembled().values()])
        due = [handler for consumer in self._assembled().values() for handler in await consumer.due()]
        # A loop at work may have carried something past the places that were looked at.
        return not done and not due and not self._activity.running and begun == self._activity.begun


def _relaying(relay: Relay) -> Work:
    async def publish(woken: bool) -> float:
        await relay.publish()
        return REST

    return publish


async def _end(tasks: Sequence[asyncio.Task[None]], after: float) -> None:
    if after:
        await asyncio.wait(tasks, timeout=after)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
