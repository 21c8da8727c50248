"""The rule for coming and going: it starts and stops twice in one process, and nothing of it is left."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kernel import errors
from kernel.testing.conformance.subject import Subject
from kernel.testing.conformance.verdicts import Finding, broken, kept

TIMES: Final = 2
SETTLING: Final = 0.05  # seconds, in which what a start sets going shows itself
PATIENCE: Final = 2.0  # seconds that closed connections and ended threads may take to be gone
_LOOP_THREADS: Final = "asyncio_"  # those of `asyncio.to_thread`, which belong to the event loop
_DESCRIPTORS: Final = Path("/proc/self/fd")


async def starts_and_stops(subject: Subject) -> AsyncIterator[Finding]:
    """Nothing that a start opened or set going outlives the stop: no task, no thread, no connection."""
    place = await subject.place()
    for _ in range(TIMES):
        before = Census.take()
        try:
            async with subject.running(place, background=True) as (platform, _member):
                await platform.events.settle()
                await asyncio.sleep(SETTLING)
        except errors.BootError as error:
            yield broken(error.message)
            return
        except Exception as error:
            yield broken(f"it does not stop cleanly: {_reasons(error)}; let what its services and lifespan open close")
            return
        left = [broken(remedy) for remedy in await _leftovers(before)]
        if left:
            for one in left:
                yield one
            return
    if not _DESCRIPTORS.is_dir():
        yield kept("tasks and threads; connections that are left open can not be seen on this system")


@dataclass(frozen=True)
class Census:
    """What lives in this process: tasks of this loop, threads, and sockets and files that are open."""

    tasks: frozenset[asyncio.Task[object]]
    threads: frozenset[threading.Thread]
    opened: frozenset[str]

    @classmethod
    def take(cls) -> Census:
        threads = (one for one in threading.enumerate() if not one.name.startswith(_LOOP_THREADS))
        return cls(frozenset(asyncio.all_tasks()), frozenset(threads), frozenset(_opened()))

    def grown_since(self, before: Census) -> Iterator[str]:
        """Yield what there is more than *before*, each with a remedy."""
        for task in sorted(self.tasks - before.tasks, key=asyncio.Task.get_name):
            yield f"a task still runs after the stop: {_work(task)}; start it by `ctx.tasks`, or end it in `lifespan`"
        for thread in sorted(self.threads - before.threads, key=lambda one: one.name):
            yield f"a thread still runs after the stop: {thread.name}; close in `lifespan` what has started it"
        for name in sorted(self.opened - before.opened):
            kind = "a connection" if name.startswith("socket:") else name
            yield f"{kind} is still open after the stop; close it in `lifespan`, or in the service that opened it"


async def _leftovers(before: Census) -> list[str]:
    """Return what is left once everything has had the time to go; tasks that were left are ended."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while (left := list(Census.take().grown_since(before))) and loop.time() < deadline:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0.02)
    for task in asyncio.all_tasks() - before.tasks:
        task.cancel()
    return left


def _opened() -> Iterator[str]:
    """Yield the sockets and database files that this process has open; where the system does not tell, none."""
    if not _DESCRIPTORS.is_dir():
        return
    for descriptor in _DESCRIPTORS.iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile
            target = str(descriptor.readlink())
            if target.startswith("socket:") or ".sqlite3" in target:
                yield target


def _work(task: asyncio.Task[object]) -> str:
    return getattr(task.get_coro(), "__qualname__", task.get_name())


def _reasons(error: BaseException) -> str:
    causes = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
    return "; ".join(f"{type(cause).__name__}: {cause}" for cause in causes)
