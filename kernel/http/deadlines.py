"""Deadlines for requests: one sweep of the loop instead of a timer for each request.

A timer costs as much as all the rest of the bookkeeping of a request. The sweep costs a dictionary entry, and a
deadline strikes up to `SWEEP_SECONDS` late, which nobody notices beside limits of many seconds.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

SWEEP_SECONDS: Final = 0.25

Task = asyncio.Task[Any]


class Deadlines:
    """The running requests of one process and the moments at which each is cancelled."""

    def __init__(self) -> None:
        self._running: dict[Task, float] = {}
        self._sweep_is_due = False

    def begin(self, seconds: float) -> Task:
        """Cancel the running task in *seconds*, unless `end` comes first; a later call moves the deadline."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a deadline belongs to a task")
        self._running[task] = loop.time() + seconds
        if not self._sweep_is_due:
            self._sweep_is_due = True
            loop.call_later(SWEEP_SECONDS, self._sweep)
        return task

    def runs(self, task: Task) -> bool:
        """Return whether the deadline of *task* has not struck."""
        return task in self._running

    def end(self, task: Task) -> None:
        """Lift the deadline; if it has struck, take its cancellation back."""
        if self._running.pop(task, None) is None:
            task.uncancel()

    def _sweep(self) -> None:
        self._sweep_is_due = bool(self._running)
        if not self._running:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        for task in [task for task, moment in self._running.items() if moment <= now]:
            del self._running[task]
            task.cancel()
        loop.call_later(SWEEP_SECONDS, self._sweep)
