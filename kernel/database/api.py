"""What a plugin can do with its database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from kernel.database.statements import Command, Guarded, Load, Lookup, Query

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine  # brings the ORM along, which most deployments never load

R = TypeVar("R")


class Executor(Protocol):
    """Runs statements; *values* are the statement's bind parameters by name.

    Raises:
        errors.UniqueViolation, errors.ConstraintViolation: the database refused a row.
        errors.InvalidValue: no column can hold a value.
        errors.TransactionConflict: another transaction was in the way; nothing was changed.
        errors.DatabaseUnavailable: the connection was lost; of a change the outcome is unknown.
    """

    async def all(self, query: Query[R], /, **values: object) -> list[R]:
        """Return every row."""
        ...

    async def first(self, query: Query[R], /, **values: object) -> R | None:
        """Return the first row, None when there is none."""
        ...

    async def one(self, query: Query[R], /, **values: object) -> R:
        """Return the first row; raise `errors.RowMissing` when there is none."""
        ...

    async def run(self, command: Command, /, **values: object) -> int:
        """Run *command*; return the number of rows it affected."""
        ...

    async def run_many(self, command: Command, rows: Sequence[Mapping[str, object]]) -> None:
        """Run *command* once for each of *rows*, all or none."""
        ...

    async def guarded(self, change: Guarded[R], /, **values: object) -> R | None:
        """Run *change* whole or not at all; return what its guard returned, None when it touched nothing."""
        ...


class Session(Executor, Protocol):
    """One open transaction. It commits when its block ends and rolls back when the block raises.

    Once a statement of it has failed it can only be left, also when the error was caught.
    """

    async def load(self, load: Load, rows: Sequence[Sequence[object]]) -> None:
        """Insert *rows*, each in the order of the columns of *load*: many times as fast as `run_many` on PostgreSQL.

        Raises:
            errors.UniqueViolation: one of them is there already.
        """
        ...

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call *callback* once, right after this transaction has committed."""
        ...


class Database(Executor, Protocol):
    """One plugin's database. Each call on it alone is a transaction of its own."""

    @property
    def dialect(self) -> Literal["postgresql", "sqlite"]:
        """The kind of database behind it."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """Open a transaction for writing (SQLite: `BEGIN IMMEDIATE`)."""
        ...

    async def lookup(self, lookup: Lookup[R], key: object) -> R | None:
        """Return the row of *key*, None when there is none; see `Lookup`."""
        ...

    def engine(self) -> AsyncEngine:
        """Return an ordinary SQLAlchemy engine on the same database, made at the first call.

        Slower than the methods above by a factor of seven; for code that wants the ORM.
        """
        ...
