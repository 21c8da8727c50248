"""Redis makes events quick for many processes; nothing is lost, doubled or disordered without it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis

from kernel import Delivery, on
from kernel.database import Session
from kernel.events.settings import EventSettings
from kernel.testing.processes import spawn, stopping
from tests.kernel.events.house import House, Note, Process, Sold, sales, until, write_down

pytestmark = pytest.mark.postgresql_only


async def test_process_hears_through_the_stream_what_another_published(house: House) -> None:
    """The publisher handles nothing here, and the reader looks into no log for an hour."""
    patient = EventSettings(look=3600, poll=3600)
    reader = await house.process(settings=patient)
    publisher = await house.process(ledger=[], settings=patient)
    await asyncio.sleep(0.5)

    await publisher.sell(3)

    await until(lambda: has(reader, sales(3)))


async def test_two_processes_share_the_work_and_double_none(house: House) -> None:
    """Each event is handled in one of them, in order for each key."""
    by: dict[int, set[int]] = {1: set(), 2: set()}

    def noting(process: int) -> object:
        async def note(session: Session, delivery: Delivery[Sold]) -> None:
            by[process].add(delivery.event.number)
            await write_down(session, delivery)

        return note

    one = await house.process(ledger=[on(Sold, noting(1), name="note")])  # type: ignore[arg-type]
    two = await house.process(ledger=[on(Sold, noting(2), name="note")])  # type: ignore[arg-type]
    customers = [f"customer {n}" for n in range(10)]

    await asyncio.gather(*((one if n % 2 else two).sell(20, name) for n, name in enumerate(customers)))
    await asyncio.gather(one.runtime.settle(30), two.runtime.settle(30))

    noted = await one.noted()
    assert len(noted) == 200
    for customer in customers:
        assert [note for note in noted if note.customer == customer] == sales(20, customer)


async def test_what_a_process_received_and_left_is_handled_by_another(house: House) -> None:
    """It died with events in the inbox that all belong to the plugin, not to the process."""
    dying = await house.process(running=False)
    await dying.sell(3)
    await dying.runtime._relays["shop"].publish()
    await dying.runtime._assembled()["ledger"]._receiver.receive()

    survivor = await house.process()

    await until(lambda: has(survivor, sales(3)))


async def test_stream_that_was_flushed_loses_and_disorders_nothing(house: House) -> None:
    """The hole in the stream is seen by the positions, and the log is read."""
    process = await house.process()
    async with Redis.from_url(str(house.redis_url)) as redis:
        for round_ in range(10):
            await process.sell(10, first=round_ * 10)
            await redis.flushall()

    await until(lambda: has(process, sales(100)))


async def test_stream_entries_that_come_again_are_dropped(house: House) -> None:
    """Somebody copied the stream into itself."""
    process = await house.process()
    await process.sell(5)
    await process.runtime.settle()

    async with Redis.from_url(str(house.redis_url)) as redis:
        for _, fields in await redis.xrange("ev:shop") or ():
            await redis.xadd("ev:shop", fields)  # type: ignore[arg-type]
    await process.sell(1, first=5)
    await until(lambda: has(process, sales(6)))
    await process.runtime.settle()

    assert await process.noted() == sales(6)


async def test_events_go_on_while_redis_is_dead_and_after_it_is_back(house: House) -> None:
    """Killed in the middle: this process goes on by itself, others by the log."""
    settings = EventSettings(look=0.5)
    one, two = await house.process(settings=settings), await house.process(ledger=[], settings=settings)
    await one.sell(5)
    await until(lambda: has(one, sales(5)))

    async with Redis.from_url(str(house.redis_url)) as redis:
        server = await redis.info("server")
    os.kill(server["process_id"], signal.SIGKILL)
    await one.sell(5, first=5)
    await two.sell(5, first=10)
    await until(lambda: has(one, sales(15)))

    socket = Path(str(house.redis_url).removeprefix("unix://"))
    again = spawn([server["executable"], "--port", "0", "--unixsocket", str(socket)], socket.parent)
    with stopping(again, signal.SIGTERM, None):
        await two.sell(5, first=15)
        await until(lambda: has(one, sales(20)))


async def has(process: Process, expected: list[Note]) -> bool:
    noted = await process.noted()
    assert noted == expected[: len(noted)]
    return len(noted) == len(expected)
