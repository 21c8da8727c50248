"""Events that come often and in disorder (A27); the other cases of events are in `tests/kernel/events` (A26, A28)."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import groupby
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.events.event import on
from kernel.events.outbox import Entry
from tests.kernel.events.house import House, Note, Process, Sold, make_databases, write_down

CUSTOMERS = ("ada", "bob", "eve")
#: One sale to a customer each, in the order in which they are published.
sales = st.lists(st.sampled_from(CUSTOMERS), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The databases of a shop and a ledger, to be copied."""
    folder = tmp_path_factory.mktemp("often") / "empty"
    asyncio.run(make_databases(f"sqlite:///{folder}"))
    return folder


@asynccontextmanager
async def shop(empty: Path) -> AsyncIterator[Process]:
    """Give a shop and its ledger, in which nothing happens by itself."""
    folder = empty.with_name(uuid4().hex)
    shutil.copytree(empty, folder)
    async with AsyncExitStack() as stack:
        house = House("sqlite", f"sqlite:///{folder}", None, stack)
        yield await house.process(ledger=[on(Sold, write_down, name="note")], running=False)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(customers=sales, times=st.lists(st.integers(1, 5), min_size=12, max_size=12), seed=st.integers(0, 2**32))
async def test_events_that_come_often_and_shuffled_are_handled_once_and_in_order(
    empty: Path, customers: list[str], times: list[int], seed: int
) -> None:
    """A27: each from one to five times, in any order: the ledger has each sale once, those of a customer in order."""
    chance = random.Random(seed)
    carried: list[Entry] = []
    async with shop(empty) as process:
        await bring(process, [])  # the ledger has read the empty log
        for number, customer in enumerate(customers):
            await process.sell(1, customer, first=number)
            carried += [await published(process)] * times[number]
            chance.shuffle(carried)
            some = chance.randint(0, len(carried))
            await bring(process, carried[:some])
            del carried[:some]
        await bring(process, carried)
        await process.runtime.settle()

        assert by_customer(await process.noted()) == by_customer(
            [Note(customer, number) for number, customer in enumerate(customers)]
        )


async def bring(process: Process, entries: Sequence[Entry]) -> None:
    """Let *entries* arrive at the ledger one by one, and whatever can be handled be handled after each."""
    ledger = process.runtime._assembled()["ledger"]
    for arrived in [[entry] for entry in entries] or [[]]:
        ledger.offer("shop", arrived)
        await ledger._receiver.receive()
        for worker in ledger._workers.values():
            await worker.drain()


async def published(process: Process) -> Entry:
    """Have the shop's newest event published, but carried nowhere; return it."""
    relay = process.runtime._relays["shop"]
    relay._transport = Nowhere()
    await relay.publish()
    log = process.runtime._sources["shop"].log
    return (await log.after(await log.last() - 1))[0]


class Nowhere:
    """A transport that loses everything."""

    async def send(self, source: str, entries: object) -> None:
        pass

    async def forget(self, source: str) -> None:
        pass


def by_customer(notes: list[Note]) -> dict[str, list[int]]:
    """Return the numbers of each customer's sales, in the order in which they were noted."""
    in_turn = sorted(notes, key=lambda note: note.customer)  # which keeps the order of each customer's
    return {customer: [note.number for note in own] for customer, own in groupby(in_turn, lambda note: note.customer)}
