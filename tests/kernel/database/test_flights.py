"""Reads shared by those who ask together."""

from __future__ import annotations

import asyncio

import pytest

from kernel.database import Flights


class Source:
    """Counts its reads, each of which ends when it is told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.failing = False
        self._gates: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def read(self, key: str) -> int:
        self.begun.append(key)
        number, gate = len(self.begun), asyncio.Event()
        self._gates.put_nowait(gate)
        await gate.wait()
        if self.failing:
            raise RuntimeError("out of order")
        return number

    async def next(self) -> asyncio.Event:
        """Return what ends the next read, once it has begun."""
        return await asyncio.wait_for(self._gates.get(), 10)


async def test_those_who_ask_together_share_one_read() -> None:
    """Other keys have reads of their own."""
    source = Source()
    flights = Flights(source.read)

    asked = [flights.ask(key) for key in ("a", "a", "b", "a")]
    for _ in range(2):
        (await source.next()).set()

    assert await asyncio.gather(*asked) == [1, 1, 2, 1]
    assert source.begun == ["a", "b"]


async def test_who_comes_while_a_read_is_under_way_shares_the_next() -> None:
    """It begins after they have asked, and after the one before has ended."""
    source = Source()
    flights = Flights(source.read)
    first = flights.ask("a")
    end_first = await source.next()

    late = [flights.ask("a") for _ in range(2)]
    await asyncio.sleep(0.01)
    begun_meanwhile = len(source.begun)
    end_first.set()
    (await source.next()).set()

    assert begun_meanwhile == 1
    assert await first == 1
    assert await asyncio.gather(*late) == [2, 2]


async def test_nothing_is_kept() -> None:
    """A later question is a new read."""
    source = Source()
    flights = Flights(source.read)
    for number in (1, 2):
        asked = flights.ask("a")
        (await source.next()).set()
        assert await asked == number


async def test_a_failure_reaches_everyone_who_shares_it() -> None:
    """And nobody after them."""
    source = Source()
    source.failing = True
    flights = Flights(source.read)

    asked = [flights.ask("a") for _ in range(2)]
    (await source.next()).set()
    told = await asyncio.gather(*asked, return_exceptions=True)
    source.failing = False
    again = flights.ask("a")
    (await source.next()).set()

    assert [str(error) for error in told] == ["out of order", "out of order"]
    assert await again == 2


async def test_who_gives_up_leaves_the_others_their_answer() -> None:
    """Even if it was the first to ask."""
    source = Source()
    flights = Flights(source.read)
    asked = [flights.ask("a") for _ in range(2)]
    end = await source.next()

    asked[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked[0]
    end.set()

    assert await asked[1] == 1


async def test_who_comes_soon_after_a_read_shares_the_next() -> None:
    """A key that everybody wants is read at a pace, not once for each of them."""
    begun: list[str] = []

    async def read(key: str) -> int:
        begun.append(key)
        return len(begun)

    flights = Flights(read, pace=0.3)
    first = await flights.ask("a")
    soon = flights.ask("a")
    await asyncio.sleep(0.01)  # time enough for a read of its own

    assert (first, await flights.ask("a"), await soon) == (1, 2, 2)
