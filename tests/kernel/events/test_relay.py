"""The relay gives every committed event one position, in an order in which they become visible."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kernel import on
from kernel.database import Command, Query
from kernel.database.tables import inbox, outbox
from kernel.events.retention import Retention
from kernel.events.settings import EventSettings
from tests.kernel.events.house import House, Note, Sold, sales, write_down

POSITIONS = Query(sa.select(outbox.c.position).order_by(outbox.c.position), int)
RECEIVED = Query(sa.select(sa.func.count().label("rows")).select_from(inbox), int)


async def test_positions_are_consecutive_however_many_relays_try_at_once(house: House) -> None:
    """Two processes publish the same outbox; no position is missing or double."""
    one, two = await house.process(), await house.process()

    await asyncio.gather(one.sell(40, "ada"), two.sell(40, "bob"))
    await asyncio.gather(one.runtime.settle(), two.runtime.settle())

    assert await one.databases["shop"].all(POSITIONS) == list(range(1, 81))
    noted = await one.noted()
    assert [note for note in noted if note.customer == "ada"] == sales(40, "ada")
    assert [note for note in noted if note.customer == "bob"] == sales(40, "bob")


@pytest.mark.postgresql_only
async def test_event_of_a_transaction_that_commits_late_is_delivered(house: House) -> None:
    """Its row has the smaller sequence number and becomes visible after a later row was published."""
    process = await house.process()
    shop, events = process.databases["shop"], process.events["shop"]

    async with shop.transaction() as slow:
        await events.publish(slow, Sold(customer="slow", number=0))
        await process.sell(1, "quick")
        await process.runtime.settle()
        assert await process.noted() == [Note("quick", 0)]
    await process.runtime.settle()

    assert await process.noted() == [Note("quick", 0), Note("slow", 0)]


async def test_event_written_by_another_process_is_found_without_being_told(house: House) -> None:
    """The command line writes to an outbox and ends; the server publishes it."""
    server = await house.process(settings=EventSettings(poll=0.05, poll_alone=0.05, look=0.2))
    command_line = await house.process(running=False)

    await command_line.sell(2)
    await server.runtime.settle()

    assert await server.noted() == sales(2)


async def test_what_is_old_is_deleted_and_no_position_is_given_out_twice(house: House) -> None:
    """Published rows go after their time, handled ones later, and new events are delivered as ever."""
    process = await house.process()
    shop, ledger = process.databases["shop"], process.databases["ledger"]
    await process.sell(5)
    await process.runtime.settle()

    house.clock.advance(timedelta(days=31).total_seconds())
    for db in (shop, ledger):
        await Retention(db, settings=EventSettings(), clock=house.clock).sweep()
    kept_inbox = await ledger.one(RECEIVED)
    house.clock.advance(timedelta(days=7).total_seconds())
    await Retention(ledger, settings=EventSettings(), clock=house.clock).sweep()

    assert await shop.all(POSITIONS) == [5]
    assert (kept_inbox, await ledger.one(RECEIVED)) == (5, 0)
    await process.sell(2, first=5)
    await process.runtime.settle()
    assert await process.noted() == sales(7)


async def test_what_is_old_is_deleted_although_another_database_fails(house: House) -> None:
    """Each plugin's log is swept for itself, so that none grows because of another."""
    process = await house.process(settings=EventSettings(sweep=0.05))
    shop, ledger = process.databases["shop"], process.databases["ledger"]
    await process.sell(1)
    await process.runtime.settle()

    await shop.run(Command(sa.text("DROP TABLE outbox")))
    house.clock.advance(timedelta(days=38).total_seconds())

    async with asyncio.timeout(10):
        while await ledger.one(RECEIVED):  # noqa: ASYNC110  # the sweep sets no Event
            await asyncio.sleep(0.02)


async def test_unpublished_and_unhandled_events_are_kept_however_old(house: House) -> None:
    """Retention is for what is over."""
    process = await house.process(running=False, ledger=[on(Sold, write_down, name="note")])
    await process.sell(3)

    house.clock.advance(timedelta(days=400).total_seconds())
    await Retention(process.databases["shop"], settings=EventSettings(), clock=house.clock).sweep()
    await process.runtime.settle()

    assert await process.noted() == sales(3)
