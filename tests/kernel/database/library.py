"""A small library: tables with every kind of column, and the statements that the tests run."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Column, bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel.database import Command, Follow, Guarded, Json, Lookup, Query, Returned, Timestamp, new_metadata

metadata: Final = new_metadata()

books: Final = sa.Table(
    "books",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("title", sa.Text, nullable=False, unique=True),
    Column("copies", sa.Integer, nullable=False),
    Column("price", sa.BigInteger),
    Column("lent_at", Timestamp),
    Column("tags", Json),
    Column("cover", sa.LargeBinary),
    Column("rare", sa.Boolean),
    Column("weight", sa.Float),
    Column("state", sa.Enum("new", "used", native_enum=False, name="state"), nullable=False, default="new"),
    sa.CheckConstraint("copies >= 0", name="copies"),
)

loans: Final = sa.Table(
    "loans",
    metadata,
    Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(), primary_key=True),
    Column("book_id", sa.ForeignKey("books.id"), nullable=False),
    Column("reader", sa.Text, nullable=False, unique=True),
    Column("note", sa.Text),
    Column("copies_left", sa.Integer),
)

readers: Final = sa.Table(
    "readers",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("borrowed", sa.Integer, nullable=False),
    sa.CheckConstraint("borrowed <= 3", name="borrowed"),
)


class Book(msgspec.Struct, frozen=True):
    """One row of `books`."""

    id: UUID
    title: str
    copies: int
    price: int | None
    lent_at: datetime | None
    tags: tuple[str, ...] | None
    cover: bytes | None
    rare: bool | None
    weight: float | None
    state: str


class Stock(msgspec.Struct, frozen=True):
    """How many copies of a book there are."""

    id: UUID
    copies: int


BOOK_BY_ID: Final = Query(sa.select(books).where(books.c.id == bindparam("id")), Book)
BOOKS: Final = Query(sa.select(books).order_by(books.c.title), Book)
TITLES: Final = Query(sa.select(books.c.title).order_by(books.c.title), str)
COUNT: Final = Query(sa.select(sa.func.count()).select_from(books), int)
COPIES: Final = Query(sa.select(books.c.copies).where(books.c.id == bindparam("id")), int)
STOCK: Final = Lookup(
    sa.select(books.c.id, books.c.copies).where(books.c.id.in_(bindparam("keys", expanding=True))), Stock
)

ADD_BOOK: Final = Command(
    sa.insert(books).values(id=bindparam("id"), title=bindparam("title"), copies=bindparam("copies"))
)
ADD_WHOLE_BOOK: Final = Command(sa.insert(books).values({name: bindparam(name) for name in Book.__struct_fields__}))
SET_COPIES: Final = Command(sa.update(books).where(books.c.id == bindparam("id")).values(copies=bindparam("copies")))
ADD_LOAN: Final = Command(sa.insert(loans).values(book_id=bindparam("book_id"), reader=bindparam("reader")))


class Loan(msgspec.Struct, frozen=True):
    """One row of `loans` without its number."""

    book_id: UUID
    reader: str
    note: str | None
    copies_left: int | None


LOANS: Final = Query(
    sa.select(loans.c.book_id, loans.c.reader, loans.c.note, loans.c.copies_left).order_by(loans.c.seq), Loan
)

LEND: Final = Guarded(
    sa.update(books)
    .where(books.c.id == bindparam("id"), books.c.copies > 0)
    .values(copies=books.c.copies - 1)
    .returning(books.c.id, books.c.copies),
    Stock,
    [
        Follow(
            loans,
            {
                "book_id": Returned("id"),
                "reader": bindparam("reader"),
                "note": "lent",
                "copies_left": Returned("copies"),
            },
        )
    ],
)


class Reader(msgspec.Struct, frozen=True):
    """How many books somebody has borrowed, in all."""

    name: str
    borrowed: int


READERS: Final = Query(sa.select(readers).order_by(readers.c.name), Reader)

#: A copy is taken from the shelf, then the reader is counted one more, who need not be known yet.
TAKE_COPY: Final = Query(LEND.guard, Stock)
_READER: Final = bindparam("reader", type_=sa.Text())
_COUNT_READER: Final = (
    insert(readers)
    .from_select(["name", "borrowed"], sa.select(_READER, sa.literal_column("1")))
    .on_conflict_do_update(index_elements=["name"], set_={"borrowed": readers.c.borrowed + 1})
    .returning(readers.c.name, readers.c.borrowed)
)
_SLIP: Final = Follow(
    loans,
    {
        "book_id": Returned("id"),
        "reader": bindparam("slip"),
        "note": Returned("name"),
        "copies_left": Returned("copies"),
    },
)
BORROW: Final = Guarded(_COUNT_READER, Reader, [_SLIP], first=TAKE_COPY)
BORROW_TOGETHER: Final = Guarded(
    _COUNT_READER, Reader, [_SLIP], first=TAKE_COPY, first_key=("id", "id"), key=("reader", "name")
)
