"""Transactions: all of it or nothing, and what waits for the commit."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from kernel import errors
from kernel.database import Database
from tests.kernel.database.conftest import Open
from tests.kernel.database.library import ADD_BOOK, ADD_LOAN, COPIES, COUNT, LEND, LOANS, SET_COPIES, TITLES


async def test_transaction_commits_when_its_block_ends(db: Database) -> None:
    """What was done inside is seen inside at once, and outside when the block has ended."""
    async with db.transaction() as session:
        await session.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)
        inside, outside = await session.all(TITLES), await db.all(TITLES)

    assert (inside, outside) == (["Emma"], [])
    assert await db.all(TITLES) == ["Emma"]


async def test_transaction_rolls_back_when_its_block_raises(db: Database) -> None:
    """An exception of whatever kind undoes everything and passes on."""

    async def stumble() -> None:
        async with db.transaction() as session:
            await session.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stumble()

    assert await db.one(COUNT) == 0


async def test_transaction_rolls_back_when_it_is_cancelled(open_db: Open) -> None:
    """A cancelled task leaves nothing behind, and its connection serves others."""
    db = await open_db(pool_size=1)
    started = asyncio.Event()

    async def hang() -> None:
        async with db.transaction() as session:
            await session.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await db.one(COUNT) == 0
    assert await db.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1) == 1


async def test_every_kind_of_statement_runs_in_a_transaction(db: Database) -> None:
    """A session does what a database does."""
    book = uuid4()

    async with db.transaction() as session:
        await session.run_many(ADD_BOOK, [{"id": book, "title": "Emma", "copies": 2}])
        lent = await session.guarded(LEND, id=book, reader="ada")
        copies = await session.one(COPIES, id=book)
        missing = await session.first(COPIES, id=uuid4())

    assert lent is not None
    assert (lent.copies, copies, missing) == (1, 1, None)


async def test_failed_statement_dooms_the_transaction(db: Database) -> None:
    """Who catches the error of a statement can still only leave: nothing is committed, on either end."""
    first = uuid4()

    async def go_on() -> None:
        async with db.transaction() as session:
            await session.run(ADD_BOOK, id=first, title="Emma", copies=1)
            with pytest.raises(errors.UniqueViolation):
                await session.run(ADD_BOOK, id=first, title="Walden", copies=1)
            with pytest.raises(errors.DatabaseError, match="a statement of this transaction has failed"):
                await session.one(COUNT)

    with pytest.raises(errors.DatabaseError, match="rolled back: a statement of it had failed"):
        await go_on()

    assert await db.one(COUNT) == 0


async def test_error_of_a_statement_passes_out_of_the_block(db: Database) -> None:
    """The error that nobody caught is the one that the caller sees."""

    async def lend_nothing() -> None:
        async with db.transaction() as session:
            await session.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)
            await session.run(ADD_LOAN, book_id=uuid4(), reader="ada")

    with pytest.raises(errors.ConstraintViolation):
        await lend_nothing()

    assert await db.one(COUNT) == 0
    assert await db.all(LOANS) == []


async def test_session_is_of_no_use_after_its_block(db: Database) -> None:
    """A session that outlives its block says so."""
    async with db.transaction() as session:
        pass

    with pytest.raises(errors.DatabaseError, match="the transaction has ended; use the session inside its block only"):
        await session.one(COUNT)


async def test_after_commit_is_called_when_all_can_see_it(db: Database) -> None:
    """The callbacks run in their order, once, after the commit."""
    calls: list[str] = []

    async with db.transaction() as session:
        session.after_commit(lambda: calls.append("first"))
        session.after_commit(lambda: calls.append("second"))
        await session.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)
        before = list(calls)

    assert before == []
    assert calls == ["first", "second"]


async def test_after_commit_is_not_called_without_a_commit(db: Database) -> None:
    """Neither an exception nor a failed statement lets a callback run."""
    calls: list[str] = []

    async def stumble() -> None:
        async with db.transaction() as session:
            session.after_commit(lambda: calls.append("stumbled"))
            raise ZeroDivisionError

    async def go_on() -> None:
        async with db.transaction() as session:
            session.after_commit(lambda: calls.append("went on"))
            with pytest.raises(errors.ConstraintViolation):
                await session.run(ADD_BOOK, id=uuid4(), title="Emma", copies=-1)

    with pytest.raises(ZeroDivisionError):
        await stumble()
    with pytest.raises(errors.DatabaseError):
        await go_on()

    assert calls == []


@pytest.mark.sqlite_only
async def test_writers_take_turns(db: Database) -> None:
    """On SQLite transactions that read and then write do not lose each other's changes."""
    book = uuid4()
    await db.run(ADD_BOOK, id=book, title="Emma", copies=0)

    async def add_one() -> None:
        async with db.transaction() as session:
            copies = await session.one(COPIES, id=book)
            await asyncio.sleep(0)
            await session.run(SET_COPIES, id=book, copies=copies + 1)

    await asyncio.gather(*(add_one() for _ in range(20)))

    assert await db.one(COPIES, id=book) == 20


@pytest.mark.postgresql_only
async def test_deadlock_is_a_conflict(db: Database) -> None:
    """Of two transactions that wait for each other one is told to run again, and the other commits."""
    books = [uuid4(), uuid4()]
    for number, book in enumerate(books):
        await db.run(ADD_BOOK, id=book, title=str(number), copies=0)
    both = asyncio.Barrier(2)

    async def change(first: int) -> None:
        async with db.transaction() as session:
            await session.run(SET_COPIES, id=books[first], copies=first + 1)
            await both.wait()
            await session.run(SET_COPIES, id=books[1 - first], copies=first + 1)

    outcomes = await asyncio.gather(change(0), change(1), return_exceptions=True)

    conflicts = [outcome for outcome in outcomes if isinstance(outcome, errors.TransactionConflict)]
    copies = [await db.one(COPIES, id=book) for book in books]
    assert len(conflicts) == 1
    assert outcomes.count(None) == 1
    assert copies in ([1, 1], [2, 2])
