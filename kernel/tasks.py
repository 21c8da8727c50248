"""Background work that ends with its plugin."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final

from structlog.typing import FilteringBoundLogger

#: Is told the name of a task and what it raised.
Failed = Callable[[str, BaseException], None]

CANCEL_AGAIN: Final = 0.5  # seconds after which work that still runs is cancelled once more
GATHER: Final = 0.05  # seconds between calls that were brought forward, in which reasons for the next one gather


class PluginTasks:
    """The running tasks of one plugin; see `kernel.context.Tasks`."""

    def __init__(self, log: FilteringBoundLogger, failed: Failed) -> None:
        self._log = log
        self._failed = failed
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def every(
        self,
        seconds: float,
        work: Callable[[], Awaitable[object]],
        *,
        name: str,
        sooner: asyncio.Event | None = None,
    ) -> None:
        self.start(self._repeat(seconds, work, name, sooner), name=name)

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        # Once may not be enough: in Python 3.11 `asyncio.wait_for` swallows a cancellation that meets its result.
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running, timeout=CANCEL_AGAIN)

    async def _repeat(
        self, seconds: float, work: Callable[[], Awaitable[object]], name: str, sooner: asyncio.Event | None
    ) -> None:
        while True:
            await (asyncio.sleep(seconds) if sooner is None else _set_or_over(sooner, seconds))
            try:
                await work()
            except Exception as error:
                self._fail(name, error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(task.get_name(), error)

    def _fail(self, name: str, error: BaseException) -> None:
        self._log.error("task failed", action="task", task=name, exc_info=error)
        self._failed(name, error)


async def _set_or_over(sooner: asyncio.Event, seconds: float) -> None:
    await asyncio.sleep(GATHER)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await sooner.wait()
    sooner.clear()
