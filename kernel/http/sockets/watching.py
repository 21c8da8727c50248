"""Looking after all connections of a process: heartbeats, what is over, and the end of the process.

One look a second at everybody costs less than a timer for each, and a process that stood still for a while takes
nobody for silent: it counts its looks, not the seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from math import ceil
from typing import Final

from aiohttp import web
from structlog.typing import FilteringBoundLogger

from kernel.clock import Clock
from kernel.http.identity import IDENTITY
from kernel.http.principal import Principal
from kernel.http.settings import HttpSettings
from kernel.http.sockets.codes import CloseCode
from kernel.http.sockets.connection import Pulse
from kernel.services import Services

LOOK_SECONDS: Final = 1.0
GOODBYE: Final = 2  # looks that a client has to answer the closing, and to take what it was sent
FINISHING_SECONDS: Final = 3.0  # that messages which are being heard have when the process stops
_NAP: Final = 0.02  # seconds


class Watch:
    """The connections of one process."""

    def __init__(self, settings: HttpSettings, *, services: Services, clock: Clock, log: FilteringBoundLogger) -> None:
        self.pulse = Pulse()
        ping, pong = settings.socket_ping_seconds, settings.socket_pong_seconds
        self._every = min(LOOK_SECONDS, ping, pong)
        self._ping_after = ceil(ping / self._every)
        self._close_after = self._ping_after + ceil(pong / self._every)
        self._services = services
        self._clock = clock
        self._log = log

    async def running(self, app: web.Application) -> AsyncIterator[None]:
        """Look after them while *app* runs."""
        watching = asyncio.create_task(self._watch())
        yield
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    async def drain(self, app: web.Application) -> None:
        """Let what is being heard be finished, then part from everybody."""
        self.pulse.draining = True
        hearing = [connection.task for connection in self.pulse.live if connection.task is not None]
        if hearing:
            _, late = await asyncio.wait(hearing, timeout=FINISHING_SECONDS)
            for task in late:
                task.cancel()
        for connection in tuple(self.pulse.live):
            connection.close(CloseCode.RESTART, "connect again")
        for _ in range(ceil(GOODBYE * LOOK_SECONDS / _NAP)):
            if not self.pulse.ending:
                return
            await asyncio.sleep(_NAP)
        for connection in tuple(self.pulse.ending):
            connection.abort()

    async def look(self) -> None:
        """Look at everybody once."""
        pulse = self.pulse
        pulse.tick += 1
        for connection, since in tuple(pulse.ending.items()):
            if pulse.tick - since > ceil(GOODBYE * LOOK_SECONDS / self._every):
                connection.abort()
        for connection in tuple(pulse.live):
            connection.beat(self._ping_after, self._close_after)
        await self._part_from_the_past()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.look()
            except Exception:
                self._log.exception("connections were not looked after", action="sockets-watch")

    async def _part_from_the_past(self) -> None:
        """Close what was opened by somebody whose sign-in is over, or who may do other things now."""
        now = self._clock.now()
        people = [(one, one.principal) for one in self.pulse.live if one.principal is not None]
        for connection, principal in people:
            if principal.expires is not None and principal.expires <= now:
                connection.close(CloseCode.EXPIRED, "the sign-in is over; renew it in time")
        lapsed = await self._lapsed(principal for _, principal in people)
        for connection, principal in people:
            if id(principal) in lapsed and connection.principal is principal:
                connection.close(CloseCode.REVOKED, "the sign-in was ended or changed")

    async def _lapsed(self, principals: Iterable[Principal]) -> set[int]:
        """Return the ids of the objects that stand for somebody no more; to compare them would take much longer."""
        distinct = {id(principal): principal for principal in principals}
        identity = self._services.find(IDENTITY)
        if not distinct or identity is None:
            return set(distinct)
        return set(map(id, await identity.lapsed(tuple(distinct.values()))))
