"""Work that is done for many at once: while one batch is under way, those who come meanwhile gather for the next."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Any, Final, Generic, TypeVar

from kernel import errors

PATIENCE: Final = 0.1  # seconds for which the next batch waits for one that is held up

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

#: What somebody asked for, and the answer to come.
Waiter = tuple[T, "asyncio.Future[Any]"]


class Gathering(Generic[K, T]):
    """Hands what was asked for at the same moment to *work*, by kind, in batches of at most *limit*.

    A batch begins after its callers came, never before: nobody is answered by a state older than the call. *work*
    answers everyone in the batch and raises nothing. With *patience*, a batch that takes long holds up nobody else;
    with a *pace*, the next batch begins so many seconds after the one before has ended, and more gather for it.
    """

    def __init__(
        self,
        work: Callable[[K, list[Waiter[T]]], Awaitable[None]],
        *,
        limit: int = sys.maxsize,
        patience: float | None = None,
        pace: float = 0,
    ) -> None:
        self._work = work
        self._limit = limit
        self._patience = patience
        self._pace = pace
        self._waiting: dict[K, deque[Waiter[T]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, kind: K, wish: T) -> asyncio.Future[Any]:
        """Return the answer to come."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(kind)
        if waiting is None:
            self._waiting[kind] = deque([(wish, answer)])
            self._start(self._serve(kind))
        else:
            waiting.append((wish, answer))
        return answer

    async def close(self) -> None:
        """Refuse everybody who waits."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, kind: K) -> None:
        waiting = self._waiting[kind]
        try:
            while waiting:
                batch = [waiting.popleft() for _ in range(min(len(waiting), self._limit))]
                if self._patience is None:
                    await self._do(kind, batch)
                else:
                    await asyncio.wait((self._start(self._do(kind, batch)),), timeout=self._patience)
                if self._pace:
                    await asyncio.sleep(self._pace)
        finally:
            del self._waiting[kind]
            refuse(waiting, _closed())

    async def _do(self, kind: K, batch: list[Waiter[T]]) -> None:
        batch = [waiter for waiter in batch if not waiter[1].done()]
        try:
            if batch:
                await self._work(kind, batch)
        finally:  # no work is left undone but by a cancellation
            refuse(batch, _closed())

    def _start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def refuse(waiters: Iterable[Waiter[T]], error: Exception) -> None:
    """Raise *error* from every answer that is still to come."""
    for _, answer in waiters:
        if not answer.done():
            answer.set_exception(error)


def _closed() -> errors.DatabaseUnavailable:
    return errors.DatabaseUnavailable("the database was closed")
