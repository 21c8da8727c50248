"""The pool: few connections, first come first served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from kernel import errors
from kernel.database import pool as pools
from kernel.database.pool import Pool


class Line:
    """A connection of the exchange."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.dead = False
        self.closed = False
        self.gone = asyncio.Event()


class Exchange:
    """A driver that writes down what it opened."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.failures: list[Exception] = []
        self.ready = asyncio.Event()
        self.ready.set()

    async def connect(self) -> Line:
        await self.ready.wait()
        if self.failures:
            raise self.failures.pop()
        self.lines.append(Line(len(self.lines)))
        return self.lines[-1]

    def is_closed(self, connection: Line) -> bool:
        return connection.dead

    async def close(self, connection: Line) -> None:
        await asyncio.sleep(0)
        connection.closed = True
        connection.gone.set()


@pytest.fixture
def exchange() -> Exchange:
    """A driver without connections."""
    return Exchange()


@pytest_asyncio.fixture
async def pool(exchange: Exchange) -> AsyncIterator[Pool[Line]]:
    """A pool of at most two connections."""
    pool = Pool(exchange, name="library", size=2, wait_limit=0.2)
    yield pool
    await pool.close()


async def take(pool: Pool[Line]) -> Line:
    """Take a connection as the databases do."""
    return pool.take() or await pool.wait()


async def test_pool_opens_connections_when_they_are_needed(pool: Pool[Line], exchange: Exchange) -> None:
    """Nothing is opened ahead, and what is idle is used again."""
    assert exchange.lines == []

    for _ in range(3):
        pool.give(await take(pool))

    assert len(exchange.lines) == 1
    assert await take(pool) is not await take(pool)
    assert len(exchange.lines) == 2


async def test_pool_serves_in_the_order_of_asking(pool: Pool[Line]) -> None:
    """A connection goes straight to whoever has waited longest; newcomers do not overtake."""
    first, second = await take(pool), await take(pool)
    served: list[int] = []

    async def ask(number: int) -> None:
        line = await take(pool)
        served.append(number)
        await asyncio.sleep(0)
        pool.give(line)

    waiting = [asyncio.create_task(ask(number)) for number in range(6)]
    await asyncio.sleep(0)
    pool.give(first)
    newcomer = asyncio.create_task(ask(6))
    pool.give(second)
    await asyncio.gather(*waiting, newcomer)

    assert served == list(range(7))


async def test_pool_never_exceeds_its_size(pool: Pool[Line], exchange: Exchange) -> None:
    """However many ask, no more connections are opened than allowed."""

    async def use() -> None:
        line = await take(pool)
        await asyncio.sleep(0)
        pool.give(line)

    await asyncio.gather(*(use() for _ in range(50)))

    assert len(exchange.lines) == 2


async def test_waiting_has_a_limit(pool: Pool[Line]) -> None:
    """Who waits too long is told how many connections there are and what to do; the others go on."""
    lines = [await take(pool), await take(pool)]

    with pytest.raises(errors.DatabaseUnavailable, match=r"library: none of its 2 connections came free within 0\.2 s"):
        await take(pool)

    pool.give(lines[0])
    assert await take(pool) is lines[0]


async def test_cancelled_waiter_loses_no_connection(pool: Pool[Line]) -> None:
    """A connection that was handed to somebody who had just given up goes to the next."""
    line, _ = await take(pool), await take(pool)
    cancelled, patient = asyncio.create_task(take(pool)), asyncio.create_task(take(pool))
    await asyncio.sleep(0)
    pool.give(line)
    cancelled.cancel()

    assert await patient is line
    assert cancelled.cancelled() or cancelled.cancelling()


async def test_waiter_takes_what_comes_free_before_a_new_connection(pool: Pool[Line], exchange: Exchange) -> None:
    """Who waits for a new connection is served by an old one that comes free earlier."""
    line = await take(pool)
    exchange.ready.clear()
    waiter = asyncio.create_task(take(pool))
    await asyncio.sleep(0)
    pool.give(line)

    assert await waiter is line
    exchange.ready.set()


async def test_dead_connection_is_not_handed_out(pool: Pool[Line], exchange: Exchange) -> None:
    """A connection that died while it idled is closed and replaced."""
    line = await take(pool)
    pool.give(line)
    line.dead = True

    assert await take(pool) is not line
    await asyncio.sleep(0.01)
    assert line.closed


async def test_discarded_connection_makes_room_when_it_is_closed(pool: Pool[Line], exchange: Exchange) -> None:
    """Who waits gets a new connection in the place of the broken one."""
    broken, _ = await take(pool), await take(pool)
    waiter = asyncio.create_task(take(pool))
    await asyncio.sleep(0)
    pool.discard(broken)
    pool.discard(broken)

    assert (await waiter).number == 2
    assert broken.closed


async def test_idle_connections_can_all_be_given_up(pool: Pool[Line], exchange: Exchange) -> None:
    """After a restart of the server none of those that idled is tried."""
    lines = [await take(pool), await take(pool)]
    for line in lines:
        pool.give(line)

    pool.discard_idle()

    assert await take(pool) not in lines
    assert lines[0].closed
    assert lines[1].closed


async def test_failure_to_connect_reaches_those_whom_nobody_else_can_serve(
    pool: Pool[Line], exchange: Exchange
) -> None:
    """With no connection at all they are refused; with another one in use they wait for it."""
    exchange.failures.append(errors.DatabaseUnavailable("no route"))
    with pytest.raises(errors.DatabaseUnavailable, match="no route"):
        await take(pool)

    line = await take(pool)
    exchange.failures.append(errors.DatabaseUnavailable("too many"))
    waiter = asyncio.create_task(take(pool))
    await asyncio.sleep(0.01)
    pool.give(line)
    assert await waiter is line


async def test_idle_connections_close(pool: Pool[Line], exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody has used for a while is closed, and opened again when it is needed."""
    monkeypatch.setattr(pools, "IDLE_LIMIT", 0.0)
    line = await take(pool)
    pool.give(line)

    async with asyncio.timeout(10):
        await line.gone.wait()

    assert await take(pool) is not line


async def test_closing_closes_all_and_refuses_all(pool: Pool[Line], exchange: Exchange) -> None:
    """Idle connections, those in use and those who wait: nothing is left."""
    idle, used = await take(pool), await take(pool)
    pool.give(idle)
    await take(pool)
    waiter = asyncio.create_task(take(pool))
    await asyncio.sleep(0)

    await pool.close()

    assert all(line.closed for line in exchange.lines)
    with pytest.raises(errors.DatabaseUnavailable, match="library: the database was closed"):
        await waiter
    with pytest.raises(errors.DatabaseUnavailable, match="library: the database is closed"):
        await take(pool)
    pool.give(used)
    await pool.close()
