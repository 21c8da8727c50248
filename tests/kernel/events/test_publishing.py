"""What is published is delivered after its transaction has committed, and only then."""

from __future__ import annotations

import asyncio
import contextlib
from typing import ClassVar
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Delivery, Event, errors, new_id, on
from kernel.correlation import Cause, caused_by
from kernel.database import Guarded, Session, outbox_follow
from kernel.events.settings import EventSettings
from tests.kernel.events.house import Booked, House, Note, Sold, notes, sales


async def test_event_is_delivered_after_its_transaction_has_committed(house: House) -> None:
    """A handler sees the event, and what it writes stays."""
    process = await house.process()

    await process.sell(3)
    await process.runtime.settle()

    assert await process.noted() == sales(3)


async def test_event_of_a_transaction_that_rolled_back_is_never_delivered(house: House) -> None:
    """Nobody hears of what did not happen."""
    process = await house.process()

    with contextlib.suppress(ZeroDivisionError):
        async with process.databases["shop"].transaction() as session:
            await process.events["shop"].publish(session, Sold(customer="ada", number=1))
            raise ZeroDivisionError
    await process.runtime.settle()

    assert await process.noted() == []
    assert (await process.runtime.administration.lag()).sources[0].waiting == 0


async def test_event_that_the_manifest_does_not_list_is_refused(house: House) -> None:
    """The message names the plugin, the event and the remedy."""
    process = await house.process(running=False)

    async with process.databases["shop"].transaction() as session:
        with pytest.raises(errors.InvalidDeclaration) as refused:
            await process.events["shop"].publish(session, Booked(customer="ada", number=1))

    assert str(refused.value) == (
        "shop: publishes ledger.booked.v1, which its manifest does not list; add Booked to `publishes` of the manifest"
    )


async def test_row_of_a_guarded_change_is_delivered_when_announced(house: House) -> None:
    """State and event in one round trip reach the handler like those of `publish`."""
    process = await house.process()
    guard = (
        sa.insert(notes)
        .values(event_id=bindparam("of_event"), customer=bindparam("by_customer"), number=bindparam("of_number"))
        .returning(notes.c.customer, notes.c.number)
    )
    events = process.events["shop"]

    row = events.row(Sold(customer="ada", number=0))
    change = Guarded(guard, Note, [outbox_follow()])
    await process.databases["shop"].guarded(change, of_event=new_id(), by_customer="ada", of_number=0, **row)
    events.announce()
    await process.runtime.settle()

    assert await process.noted() == sales(1)


async def test_delivery_tells_the_event_its_source_and_its_story(house: House) -> None:
    """The id, key, source, time and cause are those of the publication."""
    seen: list[Delivery[Sold]] = []

    async def see(session: Session, delivery: Delivery[Sold]) -> None:
        seen.append(delivery)

    process = await house.process(ledger=[on(Sold, see, name="see")])
    story = new_id()

    before = house.clock.now()
    with caused_by(Cause(story)):
        async with process.databases["shop"].transaction() as session:
            id_ = await process.events["shop"].publish(session, Sold(customer="ada", number=7))
    await process.runtime.settle()

    [delivery] = seen
    assert delivery.event == Sold(customer="ada", number=7)
    assert (delivery.id, delivery.source, delivery.key) == (id_, "shop", "ada")
    assert (delivery.correlation_id, delivery.causation_id) == (story, None)
    assert before <= delivery.time <= house.clock.now()


async def test_event_published_by_a_handler_goes_on_with_the_story(house: House) -> None:
    """Its correlation is that of the event that caused it, and its causation is that event."""
    seen: list[Delivery[Booked]] = []
    story = new_id()

    async def see(session: Session, delivery: Delivery[Booked]) -> None:
        seen.append(delivery)

    async def book(session: Session, delivery: Delivery[Sold]) -> None:
        sold = delivery.event
        await process.events["ledger"].publish(session, Booked(customer=sold.customer, number=sold.number))

    process = await house.process(ledger=[on(Sold, book, name="book"), on(Booked, see, name="see")])

    with caused_by(Cause(story)):
        async with process.databases["shop"].transaction() as session:
            sold_id: UUID = await process.events["shop"].publish(session, Sold(customer="ada", number=7))
    await process.runtime.settle()

    [delivery] = seen
    assert (delivery.correlation_id, delivery.causation_id) == (story, sold_id)


async def test_fields_that_the_reader_does_not_know_are_passed_over(house: House) -> None:
    """A publisher may be newer than the handler: fields are added with defaults."""

    class NewerSold(Event, frozen=True, kw_only=True):
        name: ClassVar[str] = Sold.name
        key: ClassVar[str] = Sold.key
        customer: str
        number: int
        discount: int = 5

    process = await house.process(running=False)
    events = process.runtime.add("shop", process.databases["shop"], (NewerSold,))

    async with process.databases["shop"].transaction() as session:
        await events.publish(session, NewerSold(customer="ada", number=0))
    await process.runtime.settle()

    assert await process.noted() == sales(1)


async def test_settle_names_what_still_waits_when_time_is_up(house: House) -> None:
    """A test that hangs says why."""

    async def hang(session: Session, delivery: Delivery[Sold]) -> None:
        await asyncio.Event().wait()

    process = await house.process(ledger=[on(Sold, hang, name="hang")], settings=EventSettings(drain=0.1))
    await process.sell(1)

    with pytest.raises(TimeoutError, match=r"after 0\.3 s events still wait: .*handler='hang'"):
        await process.runtime.settle(timeout=0.3)


def test_an_event_is_encoded_as_plain_json() -> None:
    """Whoever reads the log needs nothing of ours."""
    assert msgspec.json.encode(Sold(customer="ada", number=1)) == b'{"customer":"ada","number":1}'
