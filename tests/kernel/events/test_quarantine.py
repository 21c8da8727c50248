"""Events of a plugin in quarantine wait: nothing is lost, nothing dies of it, and others go on."""

from __future__ import annotations

import asyncio
from typing import Final

import sqlalchemy as sa

from kernel import Delivery, on
from kernel.containment.breaker import Fault
from kernel.containment.containment import Containment
from kernel.containment.settings import ContainmentSettings
from kernel.database import Query, Session
from kernel.database.tables import inbox
from kernel.events.settings import EventSettings
from tests.kernel.events.house import House, Sold, sales, until, write_down
from tests.kernel.events.test_order_and_retries import Stubborn

ATTEMPTS: Final = Query(sa.select(sa.func.coalesce(sa.func.sum(inbox.c.attempts), 0).label("made")), int)
SETTINGS: Final = ContainmentSettings(faults=4, quarantine=30)


def contained(house: House) -> Containment:
    return Containment(SETTINGS, clock=house.clock)


async def test_events_wait_while_their_plugin_is_in_quarantine(house: House) -> None:
    """Nothing is handled and nothing tried; afterwards everything is, in order. Another reader notices nothing."""
    containment = contained(house)
    others = {"other": [on(Sold, write_down, name="note")]}
    process = await house.process(containment=containment, others=others)
    for _ in range(4):
        containment.of("ledger").count(Fault.TASK, "the task")

    await process.sell(3)
    await process.runtime.settle()
    during = [await process.noted(), await process.noted("other")]
    house.clock.advance(31)
    await process.runtime.settle()

    assert during == [[], sales(3)]
    assert await process.noted() == sales(3)


async def test_plugin_whose_handler_fails_again_and_again_is_closed_before_its_events_are_dead(house: House) -> None:
    """Four different events fail, then it rests: a long quarantine costs the others no attempt."""
    containment = contained(house)
    stubborn = Stubborn(*range(20))
    settings = EventSettings(attempts=8)
    process = await house.process(
        ledger=[on(Sold, stubborn, name="note")], containment=containment, settings=settings, running=False
    )
    for number in range(20):
        await process.sell(1, f"customer {number}", first=number)
    await process.runtime.settle()
    made = await process.databases["ledger"].all(ATTEMPTS)
    for _ in range(3):  # on each probation one event is tried, which ends it
        house.clock.advance(1000)
        await process.runtime.settle()
    on_probations = await process.databases["ledger"].all(ATTEMPTS)
    stubborn.numbers.clear()
    house.clock.advance(1000)
    await process.runtime.settle()

    assert (made, on_probations) == ([4], [7])
    assert sorted(note.number for note in await process.noted()) == list(range(20))
    assert await process.runtime.administration.dead() == []


async def test_nothing_is_handled_any_more_from_the_fault_on_that_closes_the_plugin(house: House) -> None:
    """What waits together with the failing ones waits on, though it would have gone well."""
    containment = contained(house)
    stubborn = Stubborn(*range(4))
    process = await house.process(ledger=[on(Sold, stubborn, name="note")], containment=containment, running=False)
    for number in range(20):
        await process.sell(1, f"customer {number}", first=number)
    await process.runtime.settle()

    assert await process.noted() == []
    stubborn.numbers.clear()
    house.clock.advance(31)
    await process.runtime.settle()
    assert len(await process.noted()) == 20


async def test_event_that_fails_again_and_again_closes_no_plugin(house: House) -> None:
    """It counts for one of the four, and dies as ever."""
    containment = contained(house)
    process = await house.process(
        ledger=[on(Sold, Stubborn(0), name="note")], containment=containment, settings=EventSettings(attempts=6)
    )
    await process.sell(2)
    for _ in range(6):
        await process.runtime.settle()
        house.clock.advance(400)
    await process.runtime.settle()

    assert containment.of("ledger").counts == {Fault.EVENT: 6}
    assert len(await process.runtime.administration.dead()) == 1
    assert await process.noted() == sales(2)[1:]


async def test_handler_that_takes_too_long_is_out_of_time(house: House) -> None:
    """It is counted as such."""

    async def slow(session: Session, delivery: Delivery[Sold]) -> None:
        await asyncio.sleep(30)

    containment = contained(house)
    settings = EventSettings(handler_timeout=0.1)
    process = await house.process(ledger=[on(Sold, slow, name="note")], containment=containment, settings=settings)
    await process.sell(1)
    await process.runtime.settle()

    assert containment.of("ledger").counts == {Fault.TIMEOUT: 1}


async def test_running_loops_take_up_what_waited(house: House) -> None:
    """Nobody has to wake them."""
    containment = contained(house)
    settings = EventSettings(poll=0.05, poll_alone=0.05, look=0.05)
    process = await house.process(containment=containment, settings=settings)
    for _ in range(4):
        containment.of("ledger").count(Fault.TASK, "the task")
    await process.sell(3)
    await asyncio.sleep(0.3)
    during = await process.noted()
    house.clock.advance(31)

    async def noted() -> bool:
        return await process.noted() == sales(3)

    await until(noted)
    assert during == []
