"""Reads that many ask for at the same moment, made once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Flights(Generic[K, V]):
    """Shares what *read* returns for a key among those who ask for it together; nothing is kept.

    A read begins after everyone who shares it has asked, never before: nobody is told a state older than the
    question. Who comes while one is under way shares the next.
    """

    def __init__(self, read: Callable[[K], Awaitable[V]]) -> None:
        self._read = read
        self._next: dict[K, asyncio.Task[V]] = {}  # may still be joined
        self._now: dict[K, asyncio.Task[V]] = {}

    async def ask(self, key: K) -> V:
        """Return what `read` returns for *key*, or raise what it raises."""
        flight = self._next.get(key)
        if flight is None:
            flight = self._next[key] = asyncio.create_task(self._fly(key, self._now.get(key)))
            flight.add_done_callback(_take_note)
        return await asyncio.shield(flight)  # whoever gives up leaves the others their answer

    async def _fly(self, key: K, before: asyncio.Task[V] | None) -> V:
        if before is not None:
            await asyncio.wait([before])
        flight = self._now[key] = self._next.pop(key)
        try:
            return await self._read(key)
        finally:
            if self._now[key] is flight:
                del self._now[key]


def _take_note(flight: asyncio.Task[V]) -> None:
    # where everybody gave up nobody hears of the failure, and asyncio would complain
    if not flight.cancelled():
        flight.exception()
