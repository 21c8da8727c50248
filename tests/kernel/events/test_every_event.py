"""A handler may want every event there is, of whichever plugin."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import msgspec

from kernel import AnyEvent, Context, Delivery, Event, EventHandler, Manifest, Plugin, hookimpl, on, on_every
from kernel.contracts.mail import MailRequested
from kernel.database import Session
from kernel.testing.deploying import Deploy
from tests.kernel.events.house import WRITE_NOTE, Booked, House, Note, Opened, Process, Sold, sales, write_down


async def write_any(session: Session, delivery: Delivery[AnyEvent]) -> None:
    """Note the type of what came, and the number of a sale."""
    told = msgspec.json.decode(delivery.event.data)
    values = {"by_customer": delivery.event.type, "of_number": told.get("number", -1)}
    await session.run(WRITE_NOTE, of_event=delivery.id, **values)


ALL = on_every(write_any, name="all")


async def publish(process: Process, plugin: str, event: Event) -> None:
    async with process.databases[plugin].transaction() as session:
        await process.events[plugin].publish(session, event)


async def test_every_event_of_every_plugin_arrives_once(house: House) -> None:
    """Its own are among them; whoever wants one type still gets that one alone."""
    process = await house.process(others={"other": [ALL]})

    await process.sell(1)
    await publish(process, "shop", Opened(day="monday"))
    await publish(process, "ledger", Booked(customer="ada", number=7))
    await process.runtime.settle()

    expected = [Note("ledger.booked.v1", 7), Note("shop.opened.v1", -1), Note("shop.sold.v1", 0)]
    assert sorted(await process.noted("other"), key=lambda note: note.customer) == expected
    assert await process.noted() == sales(1)


async def test_new_handler_of_every_event_begins_with_the_oldest_that_is_kept(house: House) -> None:
    """And it counts as what it has not received yet."""
    before = await house.process(running=False)
    await before.sell(3)
    await publish(before, "shop", Opened(day="monday"))
    await before.runtime.settle()

    after = await house.process(running=False, others={"other": [ALL]})
    [backlog] = [found for found in (await after.runtime.administration.lag()).handlers if found.plugin == "other"]
    await after.runtime.settle()

    assert backlog.unreceived == 4
    assert [note.number for note in await after.noted("other") if note.customer == "shop.sold.v1"] == [0, 1, 2]


async def test_what_is_settled_when_it_arrives_is_not_handled(house: House) -> None:
    """So that whoever wants few of all events does not keep them all."""

    async def sales_are(session: Session, deliveries: Sequence[Delivery[AnyEvent]]) -> Collection[UUID]:
        return [delivery.id for delivery in deliveries if delivery.event.type == Sold.name]

    process = await house.process(others={"other": [on_every(write_any, name="all", settled=sales_are)]})

    await process.sell(2)
    await publish(process, "shop", Opened(day="monday"))
    await process.runtime.settle()

    assert await process.noted("other") == [Note("shop.opened.v1", -1)]


async def test_replay_brings_every_event_again(house: House) -> None:
    """Of the source that was named, of whichever type."""
    process = await house.process(ledger=[on(Sold, write_down, name="note")], others={"other": [ALL]})
    await process.sell(1)
    await publish(process, "shop", Opened(day="monday"))
    await process.runtime.settle()

    since = house.clock.now() - timedelta(hours=1)
    replayed = await process.runtime.administration.replay("shop", since, plugin="other")
    await process.runtime.settle()

    assert replayed == 2
    assert len(await process.noted("other")) == 4


class Rung(Event, frozen=True, kw_only=True):
    """The bell rang."""

    name: ClassVar[str] = "bell.rung.v1"
    key: ClassVar[str] = "hour"
    hour: int


class Bell(Plugin):
    """Publishes an event of its own and one of a contract."""

    manifest: ClassVar[Manifest] = Manifest(name="bell", version="1", publishes=(Rung, MailRequested))


class Listener(Plugin):
    """Wants everything."""

    manifest: ClassVar[Manifest] = Manifest(name="listener", version="1")

    @hookimpl
    def event_handlers(self, ctx: Context) -> list[EventHandler]:
        return [ALL]


async def test_context_knows_the_events_that_plugins_which_are_on_publish(deploy: Deploy) -> None:
    """By their wire names."""
    deployment = await deploy(plugins=[Bell, Listener])

    published = deployment.platform.context("listener").published

    assert published == {"bell.rung.v1": Rung, "mail.mail_requested.v1": MailRequested}


def test_handler_says_what_it_wants() -> None:
    """For people and for plans."""
    assert ALL.wanted == "every event"
    assert on(Sold, write_down, name="note").wanted == "shop.sold.v1"
