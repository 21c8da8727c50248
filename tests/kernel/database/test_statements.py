"""Statements: values go in, typed rows come out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import bindparam

from kernel import errors
from kernel.database import Command, Database, Load, Query
from kernel.database.guards import single_plan
from kernel.database.plans import query_plan
from tests.kernel.database.library import (
    ADD_BOOK,
    ADD_WHOLE_BOOK,
    BOOK_BY_ID,
    COUNT,
    LEND,
    SET_COPIES,
    TITLES,
    Book,
    books,
)

MOMENT = datetime(2026, 11, 22, 13, 5, 7, 123456, tzinfo=UTC)


def whole_book(**changes: object) -> dict[str, object]:
    """Return the values of a book that uses every column."""
    values: dict[str, object] = {
        "id": uuid4(),
        "title": "A Pattern Language",
        "copies": 3,
        "price": 2**40,
        "lent_at": MOMENT,
        "tags": ["architecture", "ü"],
        "cover": b"\x00\xff",
        "rare": True,
        "weight": 1.25,
        "state": "used",
    }
    return values | changes


async def test_row_has_the_types_of_its_fields(db: Database) -> None:
    """Every type comes back as what it went in as, JSON as the type of the field."""
    values = whole_book()

    await db.run(ADD_WHOLE_BOOK, **values)
    found = await db.one(BOOK_BY_ID, id=values["id"])

    assert found == Book(**(values | {"tags": ("architecture", "ü")}))  # type: ignore[arg-type]
    assert isinstance(found.id, UUID)
    assert found.rare is True
    assert found.lent_at is not None
    assert found.lent_at.tzinfo is UTC


async def test_row_has_none_for_null(db: Database) -> None:
    """NULL comes back as None for every type, and None is stored as NULL, also in a JSON column."""
    empty = dict.fromkeys(("price", "lent_at", "tags", "cover", "rare", "weight"))
    values = whole_book(**empty)

    await db.run(ADD_WHOLE_BOOK, **values)

    without_tags = Query(sa.select(sa.func.count()).where(books.c.tags.is_(sa.null())), int)
    assert await db.one(BOOK_BY_ID, id=values["id"]) == Book(**values)  # type: ignore[arg-type]
    assert await db.one(without_tags) == 1


async def test_moment_of_any_zone_comes_back_in_utc(db: Database) -> None:
    """A moment is the same moment wherever its clock stood."""
    values = whole_book(lent_at=MOMENT.astimezone(timezone(timedelta(hours=9))))

    await db.run(ADD_WHOLE_BOOK, **values)
    found = await db.one(BOOK_BY_ID, id=values["id"])

    assert found.lent_at == MOMENT


async def test_moment_without_zone_is_refused(db: Database) -> None:
    """A datetime without a time zone is a mistake of the caller."""
    with pytest.raises(ValueError, match="has no time zone; use the clock of the context"):
        await db.run(ADD_WHOLE_BOOK, **whole_book(lent_at=datetime(2026, 1, 1)))  # noqa: DTZ001

    assert await db.one(COUNT) == 0


async def test_dataclass_and_keyword_rows_are_filled_by_name(db: Database) -> None:
    """A row may be a dataclass or a struct with keyword-only fields."""

    @dataclass(frozen=True, kw_only=True)
    class Card:
        title: str
        copies: int

    class KeywordCard(msgspec.Struct, kw_only=True):
        title: str
        copies: int

    statement = sa.select(books.c.title, books.c.copies)
    await db.run(ADD_BOOK, id=uuid4(), title="Walden", copies=1)

    assert await db.first(Query(statement, Card)) == Card(title="Walden", copies=1)
    assert await db.first(Query(statement, KeywordCard)) == KeywordCard(title="Walden", copies=1)


async def test_all_returns_rows_in_order(db: Database) -> None:
    """A plain type stands for the only column."""
    for title in ("Walden", "Emma"):
        await db.run(ADD_BOOK, id=uuid4(), title=title, copies=1)

    assert await db.all(TITLES) == ["Emma", "Walden"]


async def test_first_and_one_differ_where_there_is_no_row(db: Database) -> None:
    """`first` gives None and `one` raises."""
    assert await db.first(BOOK_BY_ID, id=uuid4()) is None
    with pytest.raises(errors.RowMissing, match="no row of"):
        await db.one(BOOK_BY_ID, id=uuid4())


async def test_run_counts_affected_rows(db: Database) -> None:
    """`run` tells how many rows an insert, an update or a delete touched."""
    book = uuid4()
    delete = Command(sa.delete(books))

    assert await db.run(ADD_BOOK, id=book, title="Walden", copies=1) == 1
    assert await db.run(SET_COPIES, id=book, copies=2) == 1
    assert await db.run(SET_COPIES, id=uuid4(), copies=2) == 0
    assert await db.run(delete) == 1


async def test_insert_returns_rows(db: Database) -> None:
    """A change with `returning` is a query, and its default is filled in."""
    add = Query(
        sa.insert(books).values(id=bindparam("id"), title="Emma", copies=5).returning(books.c.copies, books.c.state),
        msgspec.defstruct("Added", [("copies", int), ("state", str)]),
    )

    added = await db.one(add, id=uuid4())

    assert msgspec.to_builtins(added) == {"copies": 5, "state": "new"}


async def test_run_many_runs_all_or_none(db: Database) -> None:
    """When one row is refused, none of them stays."""
    rows = [{"id": uuid4(), "title": title, "copies": 1} for title in ("Emma", "Walden", "Emma")]

    with pytest.raises(errors.UniqueViolation):
        await db.run_many(ADD_BOOK, rows)

    assert await db.one(COUNT) == 0
    await db.run_many(ADD_BOOK, rows[:2])
    assert await db.one(COUNT) == 2


async def test_run_many_of_nothing_does_nothing(db: Database) -> None:
    """No rows are no reason for a statement."""
    await db.run_many(ADD_BOOK, [])

    assert await db.one(COUNT) == 0


async def test_load_puts_in_all_or_none(db: Database) -> None:
    """Rows come in the order that the load names; a row that is there already lets none in."""
    load = Load(books, "title", "copies", "id", "state")
    first, second = ("Emma", 2, uuid4(), "new"), ("Faust \\ N", 3, uuid4(), "old")

    with pytest.raises(errors.UniqueViolation):
        async with db.transaction() as session:
            await session.load(load, [first, second, first])
    assert await db.one(COUNT) == 0
    async with db.transaction() as session:
        await session.load(load, [])
        await session.load(load, [first, second])

    shown = Query(sa.select(books.c.title).where(books.c.copies == 3, books.c.state == "old"), str)
    assert await db.all(shown) == ["Faust \\ N"]
    assert await db.one(COUNT) == 2


async def test_membership_takes_any_number_of_values(db: Database) -> None:
    """`IN` and `NOT IN` take none, one or many values with the same statement."""
    titles = ["Emma", "Faust", "Walden"]
    await db.run_many(ADD_BOOK, [{"id": uuid4(), "title": title, "copies": 1} for title in titles])
    wanted: sa.BindParameter[str] = bindparam("wanted", expanding=True)
    among = Query(sa.select(books.c.title).where(books.c.title.in_(wanted)).order_by(books.c.title), str)
    beyond = Query(sa.select(books.c.title).where(books.c.title.not_in(wanted)).order_by(books.c.title), str)

    assert await db.all(among, wanted=[]) == []
    assert await db.all(among, wanted=["Emma"]) == ["Emma"]
    assert await db.all(among, wanted=["Faust", "Emma", "Ilias"]) == ["Emma", "Faust"]
    assert await db.all(beyond, wanted=[]) == titles
    assert await db.all(beyond, wanted=["Faust", "Emma"]) == ["Walden"]


async def test_constants_stand_in_the_statement(db: Database) -> None:
    """Values that a statement brings along need not be given: plain ones, odd ones, lists and defaults."""
    await db.run_many(
        ADD_BOOK,
        [{"id": uuid4(), "title": title, "copies": 2} for title in ("Emma", 'it\'s 100 % \\ a "test"; --', "Faust")],
    )
    plain = Query(sa.select(books.c.title).where(books.c.copies == 2, books.c.title == "Emma"), str)
    odd = Query(sa.select(books.c.title).where(books.c.title == 'it\'s 100 % \\ a "test"; --'), str)
    listed = Query(sa.select(books.c.title).where(books.c.title.in_(["Emma", "Faust"])).order_by(books.c.title), str)
    defaulted = Query(sa.select(books.c.title).where(books.c.title == bindparam("title", "Faust")), str)

    assert await db.all(plain) == ["Emma"]
    assert await db.all(odd) == ['it\'s 100 % \\ a "test"; --']
    assert await db.all(listed) == ["Emma", "Faust"]
    assert await db.all(defaulted) == ["Faust"]
    assert await db.all(defaulted, title="Emma") == ["Emma"]


async def test_limit_and_offset_are_values(db: Database) -> None:
    """The size and the place of a page are bound like any value."""
    await db.run_many(ADD_BOOK, [{"id": uuid4(), "title": title, "copies": 1} for title in "ABCDE"])
    page = Query(
        sa.select(books.c.title).order_by(books.c.title).limit(bindparam("limit")).offset(bindparam("offset")), str
    )

    assert await db.all(page, limit=2, offset=3) == ["D", "E"]


async def test_value_may_bear_any_name(db: Database) -> None:
    """No name of a value clashes with a name of ours."""
    await db.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)
    by_query = Query(sa.select(books.c.title).where(books.c.title == bindparam("query")), str)

    assert await db.first(by_query, query="Emma") == "Emma"


async def test_sum_of_whole_numbers_is_whole(db: Database) -> None:
    """A sum is an int on both ends, of nothing as well."""
    total = Query(sa.select(sa.func.sum(books.c.price)), int)
    nothing = await db.one(Query(sa.select(sa.func.coalesce(sa.func.sum(books.c.price), 0)), int))
    await db.run_many(ADD_WHOLE_BOOK, [whole_book(title=str(number), price=2**60) for number in range(3)])

    found = await db.one(total)

    assert (nothing, type(nothing)) == (0, int)
    assert (found, type(found)) == (3 * 2**60, int)


async def test_missing_and_unknown_values_are_named(db: Database) -> None:
    """A call that does not fit its statement says what is missing and what is too much."""
    with pytest.raises(TypeError, match=r"misses the values \['copies', 'title'\] and does not know \['name'\]"):
        await db.run(ADD_BOOK, id=uuid4(), name="Emma")

    assert await db.one(COUNT) == 0


async def test_statement_is_compiled_once(db: Database) -> None:
    """The second use finds the plan of the first."""
    query = Query(sa.select(books.c.title), str)

    await db.all(query)

    assert query_plan(query, db.dialect) is query_plan(query, db.dialect)


async def test_command_with_rows_gives_none_of_them(db: Database) -> None:
    """A command that returns rows runs to its end all the same."""
    add = Command(sa.insert(books).values(id=uuid4(), title="Emma", copies=1).returning(books.c.id))

    assert await db.run(add) == 1
    assert await db.all(TITLES) == ["Emma"]


@given(text=st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_constant_is_written_out_only_where_it_needs_no_escaping(text: str) -> None:
    """Whatever a constant holds, the text of the statement is the same or holds nothing but letters."""
    for dialect in ("postgresql", "sqlite"):
        plan = query_plan(Query(sa.select(books.c.title).where(books.c.title == text), str), dialect)
        written = f"books.title = '{text}'"

        assert bool(plan.order) != plan.sql.endswith(written)
        assert not ("'" in text and text in plan.sql.replace(written, "")) or plan.order


def test_only_plain_reads_may_run_twice() -> None:
    """A statement that changes something is never taken for a read, whatever it returns."""
    add = sa.insert(books).values(id=bindparam("id"), title="Emma", copies=1).returning(books.c.id)

    assert query_plan(TITLES, "postgresql").reads
    assert not query_plan(Query(add, UUID), "postgresql").reads
    assert not query_plan(Query(sa.select(add.cte("added")), UUID), "postgresql").reads
    assert not query_plan(Query(sa.text("DELETE FROM books RETURNING id").columns(books.c.id), UUID), "sqlite").reads
    assert not single_plan(LEND).reads


@pytest.mark.postgresql_only
async def test_membership_on_postgresql_is_one_array(db: Database) -> None:
    """The text of a statement does not change with the number of its values, so that the server keeps its plan."""
    query = Query(sa.select(books.c.title).where(books.c.id.in_(bindparam("keys", expanding=True))), str)

    assert "= ANY ((SELECT $1::UUID[])::UUID[])" in query_plan(query, "postgresql").sql
