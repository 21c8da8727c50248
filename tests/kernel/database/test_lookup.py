"""Lookups: who asks at the same moment shares a query."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
import sqlalchemy as sa

from kernel import errors
from kernel.database import Database, Lookup
from kernel.database.lookups import BATCH_LIMIT, Lookups
from kernel.database.plans import Plan
from tests.kernel.database.library import ADD_BOOK, SET_COPIES, STOCK, Stock, books


@pytest_asyncio.fixture
async def stock(db: Database) -> list[UUID]:
    """The ids of five books; there are as many copies of each as its place in the list."""
    ids = [uuid4() for _ in range(5)]
    await db.run_many(ADD_BOOK, [{"id": book, "title": str(n), "copies": n} for n, book in enumerate(ids)])
    return ids


class Desk:
    """A database that writes down each batch and answers when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[object]] = []
        self.open = asyncio.Event()
        self.failure: Exception | None = None
        self.lookups = Lookups("sqlite", self.fetch)

    async def fetch(self, plan: Plan[Any], arguments: Sequence[object], /) -> Sequence[Sequence[object]]:
        (keys,) = arguments
        assert isinstance(keys, list)
        self.batches.append(keys)
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return [(key, len(self.batches)) for key in keys if isinstance(key, str)]


async def find(db: Database, key: UUID) -> Stock | None:
    """Look up how many copies there are."""
    return await db.lookup(STOCK, key)


async def test_lookup_finds_rows_by_key(db: Database, stock: list[UUID]) -> None:
    """Each of those who ask gets the row of the own key, None where there is none."""
    found = await asyncio.gather(*[find(db, key) for key in (*stock, uuid4(), stock[0])])

    assert found == [*(Stock(book, number) for number, book in enumerate(stock)), None, Stock(stock[0], 0)]


async def test_lookup_of_a_plain_type_finds_the_key(db: Database, stock: list[UUID]) -> None:
    """A single column is its own key: does it exist?"""
    exists = Lookup(sa.select(books.c.id).where(books.c.id.in_(sa.bindparam("keys", expanding=True))), UUID)

    assert await db.lookup(exists, stock[3]) == stock[3]
    assert await db.lookup(exists, uuid4()) is None


async def test_lookup_reads_what_was_committed_before(db: Database, stock: list[UUID]) -> None:
    """Nobody reads a state older than the call, however many reads are under way."""
    readers = [asyncio.create_task(find(db, stock[1])) for _ in range(50)]
    await asyncio.sleep(0)
    await db.run(SET_COPIES, id=stock[1], copies=100)

    found = await db.lookup(STOCK, stock[1])
    await asyncio.gather(*readers)

    assert found == Stock(stock[1], 100)


async def test_lookups_that_come_while_a_query_runs_share_the_next() -> None:
    """The first goes alone, the others together, and each key once."""
    desk = Desk()
    keys = [UUID(int=number) for number in range(4)]

    first = desk.lookups.ask(STOCK, keys[0])
    await asyncio.sleep(0)
    others = [desk.lookups.ask(STOCK, key) for key in (*keys[1:], keys[1])]
    desk.open.set()
    await asyncio.gather(first, *others)

    assert desk.batches == [[key.hex for key in keys[:1]], [key.hex for key in keys[1:]]]


async def test_batch_has_a_limit() -> None:
    """A crowd is served in several queries."""
    desk = Desk()
    desk.open.set()

    await asyncio.gather(*(desk.lookups.ask(STOCK, UUID(int=number)) for number in range(BATCH_LIMIT + 1)))

    assert [len(batch) for batch in desk.batches] == [BATCH_LIMIT, 1]


async def test_failure_reaches_everybody_who_asked() -> None:
    """Those of the failed query get its error, those who come later their own answer."""
    desk = Desk()
    desk.failure = errors.DatabaseUnavailable("gone")
    failed = [desk.lookups.ask(STOCK, UUID(int=number)) for number in range(3)]
    desk.open.set()
    outcomes = await asyncio.gather(*failed, return_exceptions=True)
    desk.failure = None

    assert [type(outcome) for outcome in outcomes] == [errors.DatabaseUnavailable] * 3
    assert await desk.lookups.ask(STOCK, UUID(int=1)) is not None


async def test_cancelled_reader_harms_nobody() -> None:
    """One gives up; the others of the same query and of the next get their rows."""
    desk = Desk()
    running = [asyncio.ensure_future(desk.lookups.ask(STOCK, UUID(int=number))) for number in range(2)]
    await asyncio.sleep(0)
    waiting = [asyncio.ensure_future(desk.lookups.ask(STOCK, UUID(int=number))) for number in range(2)]
    running[0].cancel()
    waiting[0].cancel()
    desk.open.set()

    assert await running[1] is not None
    assert await waiting[1] is not None
    assert len(desk.batches[1]) == 1


async def test_closing_refuses_those_who_wait() -> None:
    """Nobody is left waiting for a database that closes."""
    desk = Desk()
    asked = [desk.lookups.ask(STOCK, UUID(int=number)) for number in range(2)]
    await asyncio.sleep(0)
    asked.append(desk.lookups.ask(STOCK, UUID(int=2)))

    await desk.lookups.close()

    for answer in asked:
        with pytest.raises(errors.DatabaseUnavailable, match="the database was closed"):
            await answer


async def test_lookup_that_can_not_be_compiled_fails_at_once(db: Database) -> None:
    """A lookup without `keys` is a mistake of the programmer, told to whoever calls it."""
    wrong = Lookup(sa.select(books.c.id, books.c.copies).where(books.c.id == sa.bindparam("id")), Stock)

    with pytest.raises(TypeError, match=r"misses the values \['id'\]"):
        await db.lookup(wrong, uuid4())
