"""Reads that many ask for at the same moment, made once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from kernel.database.gathering import Gathering, Waiter, refuse

PACE: Final = 0.003  # seconds from the end of a read to the next of the same key

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Flights(Generic[K, V]):
    """Shares what *read* returns for a key among those who ask for it together; nothing is kept.

    A read begins after everyone who shares it has asked, never before: nobody is told a state older than the
    question. Who comes while one is under way, or within *pace* seconds of its end, shares the next: what everybody
    wants is read a few hundred times a second at most. Whoever gives up leaves the others their answer.
    """

    def __init__(self, read: Callable[[K], Awaitable[V]], *, pace: float = PACE) -> None:
        self._read = read
        self._gathering: Gathering[K, None] = Gathering(self._fly, pace=pace)

    def ask(self, key: K) -> asyncio.Future[V]:
        """Return the answer to come: what `read` returns for *key*, or raises."""
        return self._gathering.ask(key, None)

    async def _fly(self, key: K, batch: list[Waiter[None]]) -> None:
        try:
            found = await self._read(key)
        except Exception as error:  # it belongs to those who asked
            refuse(batch, error)
            return
        for _, answer in batch:
            if not answer.done():
                answer.set_result(found)
