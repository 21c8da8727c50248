"""Background work that ends with its plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final

from structlog.typing import FilteringBoundLogger

CANCEL_AGAIN: Final = 0.5  # seconds after which work that still runs is cancelled once more


class PluginTasks:
    """The running tasks of one plugin; see `kernel.context.Tasks`."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def every(self, seconds: float, work: Callable[[], Awaitable[object]], *, name: str) -> None:
        self.start(self._repeat(seconds, work, name), name=name)

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        # Once may not be enough: in Python 3.11 `asyncio.wait_for` swallows a cancellation that meets its result.
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running, timeout=CANCEL_AGAIN)

    async def _repeat(self, seconds: float, work: Callable[[], Awaitable[object]], name: str) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception:
                self._log.exception("task failed", action="task", task=name)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("task failed", action="task", task=task.get_name(), exc_info=error)
