"""Guarded changes: the guard and what follows from it, or neither."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite

from kernel import errors
from kernel.database import Database, Follow, Guarded, Query, outbox_follow
from kernel.database.tables import outbox
from tests.kernel.database.library import (
    ADD_BOOK,
    BORROW,
    COPIES,
    LEND,
    LOANS,
    READERS,
    TAKE_COPY,
    Loan,
    Reader,
    Stock,
    books,
    loans,
)


async def test_guarded_does_all_when_the_guard_finds_a_row(db: Database) -> None:
    """The row of the guard is returned, and what follows has its values and those of the call."""
    book = uuid4()
    await db.run(ADD_BOOK, id=book, title="Emma", copies=2)

    lent = await db.guarded(LEND, id=book, reader="ada")

    assert lent == Stock(book, 1)
    assert await db.one(COPIES, id=book) == 1
    assert await db.all(LOANS) == [Loan(book, "ada", "lent", 1)]


async def test_guarded_does_nothing_when_the_guard_finds_none(db: Database) -> None:
    """A guard that touches nothing lets nothing follow."""
    book = uuid4()
    await db.run(ADD_BOOK, id=book, title="Emma", copies=0)

    assert await db.guarded(LEND, id=book, reader="ada") is None
    assert await db.one(COPIES, id=book) == 0
    assert await db.all(LOANS) == []


async def test_guarded_does_nothing_when_what_follows_is_refused(db: Database) -> None:
    """A follow that breaks a constraint undoes the guard as well."""
    book = uuid4()
    await db.run(ADD_BOOK, id=book, title="Emma", copies=3)
    await db.guarded(LEND, id=book, reader="ada")

    with pytest.raises(errors.UniqueViolation):
        await db.guarded(LEND, id=book, reader="ada")

    assert await db.one(COPIES, id=book) == 2
    assert len(await db.all(LOANS)) == 1


async def test_guarded_lends_no_copy_twice(db: Database) -> None:
    """Of many at the same moment as many succeed as there are copies."""
    book = uuid4()
    await db.run(ADD_BOOK, id=book, title="Emma", copies=3)

    async def lend(number: int) -> Stock | None:
        return await db.guarded(LEND, id=book, reader=f"reader {number}")

    lent = await asyncio.gather(*[lend(number) for number in range(10)])

    assert sorted(stock.copies for stock in lent if stock is not None) == [0, 1, 2]
    assert await db.one(COPIES, id=book) == 0
    assert len(await db.all(LOANS)) == 3


async def test_guarded_insert_can_be_followed(db: Database) -> None:
    """A guard may be an insert that does nothing on a conflict."""
    insert = postgresql.insert if db.dialect == "postgresql" else sqlite.insert
    add = Guarded(
        insert(books)
        .values(id=bindparam("id"), title=bindparam("title"), copies=1)
        .on_conflict_do_nothing(index_elements=["title"])
        .returning(books.c.id, books.c.copies),
        Stock,
        [Follow(loans, {"book_id": bindparam("id"), "reader": bindparam("reader")})],
    )
    book = uuid4()

    assert await db.guarded(add, id=book, title="Emma", reader="ada") == Stock(book, 1)
    assert await db.guarded(add, id=uuid4(), title="Emma", reader="bob") is None
    assert [loan.reader for loan in await db.all(LOANS)] == ["ada"]


async def test_guarded_writes_its_event(db: Database) -> None:
    """A change and its event are one statement; the outbox numbers its rows by itself."""
    sell = Guarded(LEND.guard, Stock, [outbox_follow(), outbox_follow("other_")])
    book, event, other = uuid4(), uuid4(), uuid4()
    await db.run(ADD_BOOK, id=book, title="Emma", copies=1)
    told = {
        "type": "library.lent.v1",
        "key": str(book),
        "data": b"{}",
        "correlation_id": uuid4(),
        "causation_id": None,
        "created_at": datetime.now(UTC),
    }
    values = {f"event_{name}": value for name, value in told.items()}
    values |= {f"other_{name}": value for name, value in told.items()}

    await db.guarded(sell, id=book, event_id=event, other_id=other, **values)

    written = Query(sa.select(outbox.c.id).where(outbox.c.position.is_(None)), type(event))
    assert set(await db.all(written)) == {event, other}


async def test_guarded_names_missing_and_unknown_values(db: Database) -> None:
    """A call that does not fit is refused before anything happens."""
    book = uuid4()
    await db.run(ADD_BOOK, id=book, title="Emma", copies=1)

    with pytest.raises(TypeError, match=r"misses the values \['reader'\]"):
        await db.guarded(LEND, id=book)
    with pytest.raises(TypeError, match=r"does not know \['writer'\]"):
        await db.guarded(LEND, id=book, reader="ada", writer="jane")

    assert await db.one(COPIES, id=book) == 1


async def test_change_that_comes_first_is_told_to_what_follows(db: Database) -> None:
    """The row of the guard is returned, and what follows has the values of both."""
    book = uuid4()
    await db.run(ADD_BOOK, id=book, title="Emma", copies=5)

    assert await db.guarded(BORROW, id=book, reader="ada", slip="1") == Reader("ada", 1)
    assert await db.guarded(BORROW, id=book, reader="ada", slip="2") == Reader("ada", 2)
    assert await db.one(COPIES, id=book) == 3
    assert await db.all(LOANS) == [Loan(book, "1", "ada", 4), Loan(book, "2", "ada", 3)]


async def test_guarded_does_nothing_when_what_comes_first_finds_nothing(db: Database) -> None:
    """Neither the guard nor what follows happens then."""
    book = uuid4()
    await db.run(ADD_BOOK, id=book, title="Emma", copies=0)

    assert await db.guarded(BORROW, id=book, reader="ada", slip="1") is None
    assert await db.all(READERS) == []
    assert await db.all(LOANS) == []


async def test_what_came_first_is_undone_by_a_constraint(db: Database) -> None:
    """Whether the guard breaks it or what follows: nothing is left."""
    book = uuid4()
    await db.run(ADD_BOOK, id=book, title="Emma", copies=9)
    for slip in ("1", "2", "3"):
        await db.guarded(BORROW, id=book, reader="ada", slip=slip)

    with pytest.raises(errors.ConstraintViolation):
        await db.guarded(BORROW, id=book, reader="ada", slip="4")
    with pytest.raises(errors.UniqueViolation):
        await db.guarded(BORROW, id=book, reader="bob", slip="1")

    assert await db.one(COPIES, id=book) == 6
    assert await db.all(READERS) == [Reader("ada", 3)]
    assert len(await db.all(LOANS)) == 3


async def test_guarded_with_a_first_has_both_keys_or_none() -> None:
    """Of a group it has to be known whose row each is, of the guard as of what comes first."""
    with pytest.raises(TypeError, match="both keys or none"):
        Guarded(LEND.guard, Stock, first=TAKE_COPY, key=("id", "id"))


@pytest.mark.postgresql_only
async def test_guard_after_a_first_takes_its_values_from_a_select(db: Database) -> None:
    """A guard that can not be made to wait for what comes first is refused at its first use, with the remedy."""
    add = Guarded(
        sa.insert(books).values(id=bindparam("id"), title="Emma", copies=1).returning(books.c.id, books.c.copies),
        Stock,
        first=TAKE_COPY,
    )

    with pytest.raises(TypeError, match="an update or an insert from a select"):
        await db.guarded(add, id=uuid4())
