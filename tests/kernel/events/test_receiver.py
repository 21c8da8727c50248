"""The receiver makes of whatever the transport brings the log of the source: each event once, in order."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import sqlalchemy as sa
import structlog

from kernel import on
from kernel.database import Command, Query
from kernel.database.tables import inbox, outbox
from kernel.events.outbox import Entry, Log
from kernel.events.receiver import Receiver
from kernel.events.relay import Relay
from kernel.events.settings import EventSettings
from tests.kernel.events.house import House, Process, Sold, write_down

ORDER = Query(sa.select(inbox.c.event_id).order_by(inbox.c.seq), sa.Uuid().python_type)


class Collected:
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    async def send(self, source: str, entries: Sequence[Entry]) -> None:
        self.entries.extend(entries)

    async def forget(self, source: str) -> None:
        self.entries.clear()


def a_receiver(house: House, process: Process, names: Sequence[str] = ("note",)) -> Receiver:
    return Receiver(
        process.databases["ledger"],
        [on(Sold, write_down, name=name) for name in names],
        [Log("shop", process.databases["shop"])],
        received=lambda handlers: None,
        settings=EventSettings(),
        clock=house.clock,
        log=structlog.get_logger(),
    )


async def published(house: House, process: Process, number: int) -> list[Entry]:
    """Sell and publish so much; return what the transport was given."""
    collected = Collected()
    await process.sell(number)
    await Relay("shop", process.databases["shop"], transport=collected, clock=house.clock).publish()
    return collected.entries


@pytest.mark.parametrize("seed", range(5))
async def test_inbox_has_the_order_of_the_log_whatever_the_transport_does(house: House, seed: int) -> None:
    """Entries come doubled, out of order, in pieces, or not at all."""
    process = await house.process(running=False)
    entries = await published(house, process, 60)
    chance = random.Random(seed)
    receivers = [a_receiver(house, process), a_receiver(house, process)]

    for start in range(0, 60, 10):
        piece = [entry for entry in entries[start : start + 10] * 2 if chance.random() < 0.7]
        chance.shuffle(piece)
        receiver = chance.choice(receivers)
        if piece:
            receiver.offer("shop", piece)
        await receiver.receive()
        order = await process.databases["ledger"].all(ORDER)
        assert order == [entry.id for entry in entries[: len(order)]]
    receivers[0].look_everywhere()
    await receivers[0].receive()

    assert await process.databases["ledger"].all(ORDER) == [entry.id for entry in entries]


async def test_entries_without_a_hole_need_no_look_into_the_log(house: House) -> None:
    """What the transport brought is enough."""
    process = await house.process(running=False)
    receiver = a_receiver(house, process)
    await receiver.receive()
    entries = await published(house, process, 3)
    await process.databases["shop"].run(Command(sa.delete(outbox)))

    receiver.offer("shop", entries)

    assert await receiver.receive() == 3


async def test_entries_of_a_foreign_stream_are_dropped(house: House) -> None:
    """Two deployments on one Redis by mistake: positions that the own log does not have come to nothing."""
    process = await house.process(running=False)
    [entry] = await published(house, process, 1)
    receiver = a_receiver(house, process)
    foreign = Entry(9, *(getattr(entry, name) for name in Entry.__struct_fields__[1:]))

    receiver.offer("shop", [foreign])
    written = await receiver.receive()

    assert written == 1
    assert await process.databases["ledger"].all(ORDER) == [entry.id]


async def test_new_handler_begins_with_the_oldest_event_that_is_kept(house: House) -> None:
    """It takes the whole log while its neighbours go on where they are."""
    process = await house.process(running=False)
    entries = await published(house, process, 4)
    await a_receiver(house, process).receive()

    newcomer = a_receiver(house, process, ("note", "new"))
    written = await newcomer.receive()

    assert written == 4
    assert len(await process.databases["ledger"].all(ORDER)) == 2 * len(entries)
