"""Changes with a key share a statement when they are made together, and each happens or not by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from kernel import errors
from kernel.database import Database, Follow, Guarded
from kernel.database.groups import GROUP_LIMIT, Groups
from kernel.database.plans import Plan
from tests.kernel.database.conftest import Open
from tests.kernel.database.library import (
    ADD_BOOK,
    BORROW_TOGETHER,
    COPIES,
    LEND,
    LOANS,
    READERS,
    SET_COPIES,
    Reader,
    Stock,
    books,
    loans,
)

TRIES = 5
WAITERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
LEND_TOGETHER = Guarded(LEND.guard, Stock, LEND.follows, key=("id", "id"))
ADD_TOGETHER = Guarded(
    insert(books)
    .from_select(
        ["id", "title", "copies", "state"],
        sa.select(
            bindparam("id", type_=sa.Uuid),
            bindparam("title", type_=sa.Text),
            sa.literal_column("1"),
            sa.literal_column("'new'"),
        ).where(bindparam("title", type_=sa.Text) != sa.literal_column("'forbidden'")),
    )
    .on_conflict_do_nothing()
    .returning(books.c.id),
    UUID,
    [Follow(loans, {"book_id": bindparam("id"), "reader": bindparam("title")})],
    key=("id", "id"),
)


@pytest_asyncio.fixture
async def shelf(db: Database) -> list[UUID]:
    """The ids of ten books; there are as many copies of each as its place in the list."""
    ids = [uuid4() for _ in range(10)]
    await db.run_many(ADD_BOOK, [{"id": book, "title": str(n), "copies": n} for n, book in enumerate(ids)])
    return ids


async def lend(db: Database, *wishes: tuple[UUID, str]) -> list[Stock | BaseException | None]:
    """Lend each of the books to its reader, all at the same moment."""
    changes = [db.guarded(LEND_TOGETHER, id=book, reader=reader) for book, reader in wishes]
    return await asyncio.gather(*changes, return_exceptions=True)


async def test_each_change_of_a_group_finds_its_own_row(db: Database, shelf: list[UUID]) -> None:
    """Whose guard finds nothing gets None, and nothing follows for it; everybody else gets the own row."""
    lent = await lend(db, *((book, f"reader of {n}") for n, book in enumerate(shelf)))

    assert lent == [None, *(Stock(book, number) for number, book in enumerate(shelf[1:]))]
    written = {(loan.book_id, loan.reader, loan.note, loan.copies_left) for loan in await db.all(LOANS)}
    assert written == {(shelf[n], f"reader of {n}", "lent", n - 1) for n in range(1, 10)}


@pytest.mark.parametrize("turn", range(20))
async def test_changes_of_one_row_see_each_other(db: Database, shelf: list[UUID], turn: int) -> None:
    """Of many that want the same row at the same moment as many succeed as it has to give."""
    wishes = [(shelf[3], f"reader {n}") for n in range(10)] + [(shelf[5], f"other {n}") for n in range(4)]

    lent = await lend(db, *wishes)

    assert sorted(stock.copies for stock in lent[:10] if isinstance(stock, Stock)) == [0, 1, 2]
    assert sorted(stock.copies for stock in lent[10:] if isinstance(stock, Stock)) == [1, 2, 3, 4]
    assert (await db.one(COPIES, id=shelf[3]), await db.one(COPIES, id=shelf[5])) == (0, 1)
    assert len(await db.all(LOANS)) == 7


async def test_change_that_is_refused_leaves_the_others_of_its_group(db: Database, shelf: list[UUID]) -> None:
    """A broken constraint undoes the change that broke it and no other."""
    await lend(db, (shelf[9], "ada"))

    lent = await lend(db, (shelf[1], "bob"), (shelf[2], "ada"), (shelf[3], "eve"), (shelf[0], "joe"))

    assert isinstance(lent[1], errors.UniqueViolation)
    assert [lent[0], *lent[2:]] == [Stock(shelf[1], 0), Stock(shelf[3], 2), None]
    assert [await db.one(COPIES, id=book) for book in shelf[:4]] == [0, 0, 2, 2]
    assert {loan.reader for loan in await db.all(LOANS)} == {"ada", "bob", "eve"}


async def test_guard_that_inserts_is_made_for_several(db: Database) -> None:
    """Conditions and conflicts hold for each row, also between those of one group."""
    ids = [uuid4() for _ in range(4)]
    titles = ("Emma", "forbidden", "Ulysses", "Emma")

    added = await asyncio.gather(
        *(db.guarded(ADD_TOGETHER, id=book, title=title) for book, title in zip(ids, titles, strict=True))
    )

    assert added[1:3] == [None, ids[2]]
    assert {added[0], added[3]} in ({ids[0], None}, {ids[3], None})
    assert sorted(loan.reader for loan in await db.all(LOANS)) == ["Emma", "Ulysses"]


async def borrow(db: Database, *wishes: tuple[UUID, str]) -> list[Reader | BaseException | None]:
    """Let each reader take a copy of the book, all at the same moment."""
    changes = [
        db.guarded(BORROW_TOGETHER, id=book, reader=reader, slip=str(slip))
        for slip, (book, reader) in enumerate(wishes)
    ]
    return await asyncio.gather(*changes, return_exceptions=True)


async def test_changes_with_a_first_find_their_own_rows(db: Database, shelf: list[UUID]) -> None:
    """What comes first, the guard and what follows belong to the same change, for each of a group."""
    borrowed = await borrow(db, *((book, f"reader {n}") for n, book in enumerate(shelf)))

    assert borrowed == [None, *(Reader(f"reader {n}", 1) for n in range(1, 10))]
    written = {(loan.book_id, loan.note, loan.copies_left) for loan in await db.all(LOANS)}
    assert written == {(shelf[n], f"reader {n}", n - 1) for n in range(1, 10)}
    assert [reader.name for reader in await db.all(READERS)] == [f"reader {n}" for n in range(1, 10)]


@pytest.mark.parametrize("turn", range(20))
async def test_changes_that_share_a_row_see_each_other(db: Database, shelf: list[UUID], turn: int) -> None:
    """Whether it is the row that comes first or the guard's that several want: each is counted."""
    wishes = [(shelf[3], f"reader {n}") for n in range(8)]
    wishes += [(shelf[n], "ada") for n in range(5, 8)]

    borrowed = await borrow(db, *wishes)

    assert sum(reader is not None for reader in borrowed[:8]) == 3
    assert sorted(reader.borrowed for reader in borrowed[8:] if isinstance(reader, Reader)) == [1, 2, 3]
    assert await db.one(COPIES, id=shelf[3]) == 0
    assert len(await db.all(LOANS)) == 6


async def test_constraint_of_one_change_with_a_first_leaves_the_others(db: Database, shelf: list[UUID]) -> None:
    """Whoever has borrowed too much is refused, and the copy stays on the shelf."""
    await borrow(db, *((shelf[9], "ada") for _ in range(3)))

    borrowed = await asyncio.gather(
        *(
            db.guarded(BORROW_TOGETHER, id=shelf[place], reader=reader, slip=f"then {place}")
            for place, reader in ((1, "bob"), (2, "ada"), (3, "eve"))
        ),
        return_exceptions=True,
    )

    assert isinstance(borrowed[1], errors.ConstraintViolation)
    assert (borrowed[0], borrowed[2]) == (Reader("bob", 1), Reader("eve", 1))
    assert [await db.one(COPIES, id=book) for book in shelf[1:4]] == [0, 2, 2]


async def test_values_that_do_not_fit_are_refused_before_anything_happens(db: Database, shelf: list[UUID]) -> None:
    """The mistake of one call does not reach the others."""
    with pytest.raises(TypeError, match=r"misses the values \['reader'\]"):
        await db.guarded(LEND_TOGETHER, id=shelf[1])

    assert await db.all(LOANS) == []


@pytest.mark.postgresql_only
async def test_value_that_no_column_can_hold_harms_its_own_change_only(db: Database, shelf: list[UUID]) -> None:
    """The driver refuses the whole group, which is then made one by one."""
    lent = await lend(db, (shelf[1], "ada"), (shelf[2], "\0"), (shelf[3], "eve"))

    assert isinstance(lent[1], errors.DatabaseError)
    assert (lent[0], lent[2]) == (Stock(shelf[1], 0), Stock(shelf[3], 2))


@pytest.mark.postgresql_only
async def test_group_that_waits_for_a_lock_holds_up_nobody_else(open_db: Open, shelf: list[UUID]) -> None:
    """Somebody's long transaction delays those who want its row, and no later group."""
    db, other = await open_db(), await open_db()

    async with other.transaction() as session:
        await session.run(SET_COPIES, id=shelf[4], copies=7)
        held = asyncio.create_task(lend(db, (shelf[4], "ada")))
        await asyncio.sleep(0.05)
        passed = await asyncio.wait_for(lend(db, (shelf[5], "bob"), (shelf[6], "eve")), 5)
        assert not held.done()

    assert passed == [Stock(shelf[5], 4), Stock(shelf[6], 5)]
    assert await held == [Stock(shelf[4], 6)]


@pytest.mark.postgresql_only
async def test_insert_with_a_key_takes_its_values_from_a_select(db: Database) -> None:
    """What can not be made one statement for several is refused at its first use, with the remedy."""
    add = Guarded(
        insert(books).values(id=bindparam("id"), title=bindparam("title"), copies=1).returning(books.c.id),
        UUID,
        key=("id", "id"),
    )

    with pytest.raises(TypeError, match="an insert's in a select"):
        await db.guarded(add, id=uuid4(), title="Emma")


@pytest.mark.postgresql_only
async def test_group_that_was_in_another_ones_way_is_made_one_by_one(
    open_db: Open, url: str, shelf: list[UUID]
) -> None:
    """PostgreSQL ends one of two transactions that wait for each other; nobody of that group is refused for it."""
    db, other = await open_db(), await open_db()
    first, last = sorted(shelf[3:5])
    lent: list[Stock | BaseException | None] = []

    for attempt in range(TRIES):  # on a busy machine the first may be lent by itself: then they meet in no circle
        async with other.transaction() as session:
            await session.run(SET_COPIES, id=last, copies=7)
            lending = asyncio.create_task(lend(db, (first, f"ada {attempt}"), (last, f"bob {attempt}")))
            await somebody_waits(url)  # it holds the first, wants the last; before long PostgreSQL looks for circles
            await session.run(SET_COPIES, id=first, copies=7)
        lent = await lending
        if lent[0] == Stock(first, 6):
            break

    assert lent == [Stock(first, 6), Stock(last, 6)]


async def somebody_waits(url: str) -> None:
    """Return when a transaction waits for a lock of another."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(10):
            while not await connection.fetchval(WAITERS):  # noqa: ASYNC110  # the server tells nobody
                await asyncio.sleep(0.01)
    finally:
        await connection.close()


class Desk:
    """A database that writes down how many changes each statement makes, and answers when it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.groups: list[int] = []
        self.open = asyncio.Event()
        self.failure = failure
        self.changes = Groups(self.fetch)

    async def fetch(self, plan: Plan[Any], arguments: list[Any], /) -> Sequence[Sequence[object]]:
        self.groups.append(len(arguments[0]))
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return []

    def lend(self, book: UUID) -> asyncio.Future[Any]:
        """Lend *book*."""
        return self.changes.ask(LEND_TOGETHER, {"id": book, "reader": "ada"})


async def test_changes_that_come_while_a_group_is_under_way_share_the_next() -> None:
    """The first goes alone, the others together, but for those of the same row."""
    desk = Desk()
    ids = [UUID(int=number) for number in range(5)]

    first = desk.lend(ids[0])
    await asyncio.sleep(0.01)
    others = [desk.lend(book) for book in (*ids, ids[1])]
    desk.open.set()
    await asyncio.gather(first, *others)

    assert desk.groups == [1, 5, 1]


async def test_group_has_a_limit() -> None:
    """A crowd is served in several statements."""
    desk = Desk()
    desk.open.set()

    await asyncio.gather(*(desk.lend(UUID(int=number)) for number in range(GROUP_LIMIT + 1)))

    assert desk.groups == [GROUP_LIMIT, 1]


async def test_group_of_which_the_outcome_is_unknown_is_not_made_again() -> None:
    """When the connection is lost, everybody is told so and nothing is repeated."""
    desk = Desk(errors.DatabaseUnavailable("gone"))
    desk.open.set()

    outcomes = await asyncio.gather(*(desk.lend(UUID(int=n)) for n in range(3)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [errors.DatabaseUnavailable] * 3
    assert desk.groups == [3]


async def test_group_that_met_a_conflict_is_made_one_by_one() -> None:
    """Nothing has happened then, so everything may be tried again."""
    desk = Desk(errors.TransactionConflict("deadlock"))
    desk.open.set()

    await asyncio.gather(*(desk.lend(UUID(int=n)) for n in range(3)), return_exceptions=True)

    assert desk.groups == [3, 1, 1, 1]


async def test_closing_refuses_those_who_wait() -> None:
    """Nobody waits for ever for a database that is closed."""
    desk = Desk()
    waiting = [desk.lend(UUID(int=number)) for number in range(3)]
    await asyncio.sleep(0.01)
    waiting.append(desk.lend(UUID(int=9)))

    await desk.changes.close()

    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [errors.DatabaseUnavailable] * 4
