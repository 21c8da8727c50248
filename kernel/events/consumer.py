"""The consumer: one plugin's receiver and workers, and the loops that run them.

While the plugin is in quarantine they rest: what comes meanwhile waits in the logs and in the inbox, and no attempt is
made of which an event could die.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from kernel.clock import Clock
from kernel.containment.containment import Containment
from kernel.database import Database
from kernel.events.event import EventHandler
from kernel.events.loop import Activity, Loop, Work
from kernel.events.outbox import Entry, Log
from kernel.events.receiver import Receiver
from kernel.events.settings import EventSettings
from kernel.events.worker import Worker

REST: Final = 0.05  # seconds, in which more events gather for one transaction
#: Where several processes receive for one plugin, all but one find that it was done already. They try less often, and
#: take over within this time when that one dies.
FOLLOWERS_REST: Final = 0.25
RESTING: Final = 1.0  # seconds between two looks whether a quarantine is over, where events come all the time


class Consumer:
    """Receives and handles one plugin's events, independently of every other plugin."""

    def __init__(
        self,
        plugin: str,
        db: Database,
        handlers: Sequence[EventHandler],
        sources: Sequence[Log],
        *,
        settings: EventSettings,
        activity: Activity,
        containment: Containment,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._rests = containment.of(plugin).rests
        self._sources = frozenset(source.plugin for source in sources)
        self._receiver = Receiver(db, handlers, sources, received=self._wake, settings=settings, clock=clock, log=log)
        # SQLite has one writer, so a second handler could only wait for the first one's transaction.
        slots = asyncio.Semaphore(settings.handlers_at_once if db.dialect == "postgresql" else 1)
        self._workers = {
            handler.name: Worker(
                plugin, db, handler, slots=slots, settings=settings, containment=containment, clock=clock, log=log
            )
            for handler in handlers
        }
        poll = settings.poll if db.dialect == "postgresql" else settings.poll_alone
        self._receiving = Loop(self._receive, seconds=settings.look, activity=activity, log=log)
        self._noticing = Loop(self._notice, seconds=poll, activity=activity, log=log)
        self._working = {
            name: Loop(self._drain(name), seconds=None, activity=activity, log=log) for name in self._workers
        }

    @property
    def loops(self) -> tuple[Loop, ...]:
        return (self._receiving, self._noticing, *self._working.values())

    def offer(self, source: str, entries: Sequence[Entry]) -> None:
        """Take what the transport brought from *source*; with no entries, look into its log."""
        if source in self._sources:
            self._receiver.offer(source, entries)
            self._receiving.wake()

    async def step(self) -> int:
        """Receive everything there is and handle everything due, without the loops; return how much was done."""
        if self._rests():
            return 0
        self._receiver.look_everywhere()
        return await self._receiver.receive() + sum([await worker.drain() for worker in self._workers.values()])

    async def due(self) -> list[str]:
        """Return the names of the handlers that have something to take, and may."""
        if self._rests():
            return []
        return [name for name, worker in self._workers.items() if await worker.is_due()]

    async def _receive(self, woken: bool) -> float:
        if self._rests():
            return RESTING
        if not woken:
            self._receiver.look_everywhere()
        await self._receiver.receive()
        return REST if self._receiver.leads else FOLLOWERS_REST

    async def _notice(self, woken: bool) -> float:
        self._wake(await self.due())
        return 0

    def _wake(self, handlers: Iterable[str]) -> None:
        for handler in handlers:
            self._working[handler].wake()

    def _drain(self, name: str) -> Work:
        async def drain(woken: bool) -> float:
            await self._workers[name].drain(until=lambda: self._working[name].stopped)
            return 0

        return drain
