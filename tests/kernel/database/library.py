"""A small library: tables with every kind of column, and the statements that the tests run."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Column, bindparam

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
