"""Statements: SQLAlchemy expressions with the type of their rows, named once at the top of a module.

    COURSE_BY_ID = Query(select(courses).where(courses.c.id == bindparam("id")), CourseRow)

    found = await db.first(COURSE_BY_ID, id=course_id)

A statement is compiled once for each dialect, at its first use, and its rows are decoded straight into *row*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

R_co = TypeVar("R_co", covariant=True)  # a query of an int serves where an int or None is wanted

#: A SQLAlchemy statement of any shape; SQLAlchemy's own generic parameters say nothing about our rows.
Statement = sa.sql.base.Executable


class Compilable:
    """Keeps the plans of a statement, by dialect, from its first use on."""

    __slots__ = ("plans",)

    def __init__(self) -> None:
        self.plans: dict[str, Any] = {}


class Query(Compilable, Generic[R_co]):
    """A statement that returns rows: a select, or an insert, update or delete with `returning`.

    *row* is a msgspec Struct or dataclass whose fields are the statement's columns in the same order and with the
    same names, or a plain type (`int`, `UUID`, `str`, `bytes` …) for the single column of the statement.

    Raises:
        TypeError: the columns and the fields differ; the message lists both.
    """

    __slots__ = ("row", "statement")

    def __init__(self, statement: Statement, row: type[R_co]) -> None:
        super().__init__()
        _check_columns(statement, row)
        self.statement = statement
        self.row = row


class Command(Compilable):
    """A statement of which only the number of affected rows matters."""

    __slots__ = ("statement",)

    def __init__(self, statement: Statement) -> None:
        super().__init__()
        self.statement = statement


class Load:
    """Rows of one table, given for some of its columns, that are put in by the fastest way that the database has."""

    __slots__ = ("columns", "command", "table")

    def __init__(self, table: sa.Table, *columns: str) -> None:
        self.table = table
        self.columns = columns
        self.command = Command(sa.insert(table).values({name: sa.bindparam(name) for name in columns}))


@dataclass(frozen=True)
class Returned:
    """In a `Follow`: the value of the column *name* that the guard returned, or the change before it."""

    name: str


@dataclass(frozen=True)
class Follow:
    """One row that a `Guarded` inserts into *table* when its guard found a row.

    *values* maps column names to `bindparam(…)`, to a `Returned`, or to a constant.
    """

    table: sa.Table
    values: Mapping[str, object]

    def returned(self) -> set[str]:
        """Return the names of the columns of the guard, or of the change before it, that this needs."""
        return {value.name for value in self.values.values() if isinstance(value, Returned)}


class Guarded(Compilable, Generic[R_co]):
    """A change that happens whole or not at all, in one round trip.

    *guard* is an insert or update with `returning` (columns as in `Query`). If it touches a row, every `Follow` is
    inserted in the same transaction; if it touches none, nothing happens. PostgreSQL runs it as one statement,
    SQLite as several inside one transaction.

    With a *key*, changes made at the same moment outside a transaction share one statement and one commit on
    PostgreSQL; each of them still happens or not by itself. It names a value and the column, among those returned,
    that has this value in the one row that the guard touches. An insert takes its values from a select.

    With a *first*, that change comes before the guard: if it touches no row, nothing happens. The guard, which is an
    update or an insert from a select, then has to touch a row or to break a constraint, for what comes first is not
    taken back by a guard that touches none. *first_key* is to it what *key* is to the guard.
    """

    __slots__ = ("first", "first_key", "follows", "guard", "key", "row")

    def __init__(
        self,
        guard: Statement,
        row: type[R_co],
        follows: Sequence[Follow] = (),
        *,
        key: tuple[str, str] | None = None,
        first: Query[Any] | None = None,
        first_key: tuple[str, str] | None = None,
    ) -> None:
        super().__init__()
        _check_columns(guard, row)
        if first is not None and (key is None) != (first_key is None):
            raise TypeError("a change with a first has both keys or none")
        self.guard = guard
        self.row = row
        self.follows = tuple(follows)
        self.key = key
        self.first = first
        self.first_key = first_key

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """The keys of what this touches, in the order in which it is touched."""
        return tuple(key for key in (self.first_key, self.key) if key is not None)


class Lookup(Compilable, Generic[R_co]):
    """A read of one row by its key, shared by all who ask at the same moment.

    *statement* selects the rows whose key is among the expanding bind parameter `keys`
    (`column.in_(bindparam("keys", expanding=True))`); the first column is the key. Each caller reads what was
    committed when it asked, or later.
    """

    __slots__ = ("row", "statement")

    def __init__(self, statement: Statement, row: type[R_co]) -> None:
        super().__init__()
        _check_columns(statement, row)
        self.statement = statement
        self.row = row


def field_names(row: type[Any]) -> tuple[str, ...] | None:
    """Return the names of the fields of a row type, None for a plain type."""
    struct = getattr(row, "__struct_fields__", None)
    if struct is not None:
        return tuple(struct)
    dataclass_fields = getattr(row, "__dataclass_fields__", None)
    return tuple(dataclass_fields) if dataclass_fields is not None else None


def column_names(statement: Statement) -> tuple[str, ...]:
    """Return the names of the columns that *statement* returns."""
    columns = getattr(statement, "exported_columns", None)
    return tuple(columns.keys()) if columns is not None else ()


def _check_columns(statement: Statement, row: type[Any]) -> None:
    columns, fields = column_names(statement), field_names(row)
    expected = fields if fields is not None else columns[:1]
    if columns != expected or not columns:
        raise TypeError(f"the statement returns the columns {columns}, but {row.__name__} has {expected}")
