"""Loops: work that is done when woken, and every few seconds besides."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from structlog.typing import FilteringBoundLogger

#: Work for a loop. It is told whether it was woken (False: the time was up); it returns the seconds to rest before it
#: may be woken again, in which more of it gathers.
Work = Callable[[bool], Awaitable[float]]

LONGEST_DELAY: Final = 30.0  # seconds after repeated failures


class Activity:
    """Whether loops are at work, for those who wait until nothing is going on."""

    def __init__(self) -> None:
        self.running = 0
        self.begun = 0

    @contextlib.contextmanager
    def work(self) -> Iterator[None]:
        self.running += 1
        self.begun += 1
        try:
            yield
        finally:
            self.running -= 1


class Loop:
    """Calls *work* at the start, when woken, and *seconds* after it last ended; a failure is logged and tried again."""

    def __init__(
        self,
        work: Work,
        *,
        seconds: float | None,
        activity: Activity,
        log: FilteringBoundLogger,
    ) -> None:
        self._work = work
        self._seconds = seconds
        self._activity = activity
        self._log = log
        self._woken = asyncio.Event()
        self._stopped = asyncio.Event()

    def wake(self) -> None:
        """Have the work done soon."""
        self._woken.set()

    def stop(self) -> None:
        """Let the work that is being done be the last."""
        self._stopped.set()
        self._woken.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    async def run(self) -> None:
        woken, failures = False, 0
        while not self.stopped:
            self._woken.clear()
            try:
                with self._activity.work():
                    rest = await self._work(woken)
            except Exception as error:
                failures += 1
                await self._fail(error, failures)
                woken = False
            else:
                failures = 0
                await _happens(self._stopped, rest)
                woken = await _happens(self._woken, self._seconds)

    async def _fail(self, error: Exception, failures: int) -> None:
        delay = min(LONGEST_DELAY, 0.5 * 2.0 ** min(failures, 10))
        # One traceback is enough while the same outage lasts.
        trace = error if failures == 1 else None
        self._log.error("event work failed", action="events.failed", error=repr(error), again_in=delay, exc_info=trace)
        await _happens(self._stopped, delay)


async def _happens(event: asyncio.Event, seconds: float | None) -> bool:
    if seconds == 0:
        return event.is_set()
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
