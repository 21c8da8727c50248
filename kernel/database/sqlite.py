"""SQLite: one file, one connection that writes and a few that read.

`synchronous=FULL` syncs the log at each commit, so that what was paid for stays paid for after a power failure; on
an ordinary SSD that costs well under a millisecond for each commit, which the one writer of an embedded deployment
can afford.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import aiosqlite
import sqlalchemy as sa

from kernel import errors
from kernel.database.dialects import spread
from kernel.database.digests import SQLITE_NAME, sqlite_sha256
from kernel.database.executor import Operation, Operations, PlanExecutor, Record
from kernel.database.failures import sqlite_failure
from kernel.database.guards import GuardPlans, Step, step_plans
from kernel.database.location import Location
from kernel.database.lookups import Lookups
from kernel.database.plans import Plan
from kernel.database.pool import Pool
from kernel.database.statements import Command, Guarded, Load, Lookup
from kernel.database.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

R = TypeVar("R")
T = TypeVar("T")

BUSY_LIMIT: Final = 10.0  # seconds to wait for another process that writes
#: `secure_delete` overwrites what is deleted: who has a copy of the file is not to read what people had erased.
PRAGMAS: Final = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON")


class SqliteDriver:
    """Connections to one file for a `Pool`."""

    def __init__(self, location: Location, *, writes: bool) -> None:
        self._location = location
        self._pragmas = PRAGMAS if writes else (*PRAGMAS, "query_only = ON")

    async def connect(self) -> aiosqlite.Connection:
        file = self._location.file
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # No isolation level: transactions begin where we say so, and how.
            connection = await aiosqlite.connect(file, timeout=BUSY_LIMIT, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            told = f"{self._location.plugin}: can not open {file}: {error}"
            raise errors.DatabaseUnavailable(told) from error
        try:
            for pragma in self._pragmas:
                await connection.execute_fetchall(f"PRAGMA {pragma}")
            await connection.create_function(SQLITE_NAME, -1, sqlite_sha256, deterministic=True)
        except BaseException as error:
            await self.close(connection)
            if isinstance(error, sqlite3.Error):
                raise errors.DatabaseUnavailable(f"{self._location.plugin}: can not use {file}: {error}") from error
            raise
        return connection

    def is_closed(self, connection: aiosqlite.Connection) -> bool:
        return False

    async def close(self, connection: aiosqlite.Connection) -> None:
        with contextlib.suppress(sqlite3.Error):
            await connection.close()


async def _fetch(connection: aiosqlite.Connection, plan: Plan[Any], arguments: Sequence[object]) -> list[Record]:
    return list(await connection.execute_fetchall(*_bound(plan, arguments)))


async def _fetch_first(connection: aiosqlite.Connection, plan: Plan[Any], arguments: Sequence[object]) -> Record | None:
    return next(iter(await connection.execute_fetchall(*_bound(plan, arguments))), None)


async def _execute(connection: aiosqlite.Connection, plan: Plan[Any], arguments: Sequence[object]) -> int:
    cursor = await connection.execute(*_bound(plan, arguments))
    await cursor.fetchall()  # a change that returns rows is done, and counted, only when they are fetched
    return max(cursor.rowcount, 0)


async def _execute_many(connection: aiosqlite.Connection, plan: Plan[Any], rows: Sequence[Sequence[object]]) -> None:
    if plan.lists:  # the text depends on the values
        for arguments in rows:
            await connection.execute_fetchall(*_bound(plan, arguments))
    else:  # one way to the thread of the connection and back, for all
        await connection.executemany(plan.sql, [_bound(plan, arguments)[1] for arguments in rows])


def _bound(plan: Plan[Any], arguments: Sequence[object]) -> tuple[str, dict[str, object]]:
    """Return the SQL text and the values for sqlite3, refusing what PostgreSQL refuses."""
    values = dict(zip(plan.order, arguments, strict=True))
    sql = spread(plan.sql, values) if plan.lists else plan.sql
    for name, value in values.items():
        if isinstance(value, str) and "\0" in value:
            raise errors.InvalidValue(f"the text for {name!r} holds a zero byte")
    return sql, values


async def _load(
    connection: aiosqlite.Connection, load: Load, plan: Plan[Any], rows: Sequence[Sequence[object]]
) -> None:
    await _execute_many(connection, plan, rows)


_OPERATIONS: Final = Operations(
    fetch=_fetch, fetch_first=_fetch_first, execute=_execute, execute_many=_execute_many, load=_load
)


class SqliteDatabase(PlanExecutor):
    """One plugin's file."""

    dialect = "sqlite"
    operations = _OPERATIONS

    def __init__(self, location: Location, pool_size: int) -> None:
        self._location = location
        name = location.plugin
        self._writer = Pool(SqliteDriver(location, writes=True), name=name, size=1)
        self._readers = Pool(SqliteDriver(location, writes=False), name=name, size=max(1, pool_size - 1))
        self._lookups = Lookups(self.dialect, self._fetch)
        self._engine: AsyncEngine | None = None

    def transaction(self) -> SqliteTransaction:
        return SqliteTransaction(self._location.plugin, self._writer)

    async def lookup(self, lookup: Lookup[R], key: object) -> R | None:
        found: R | None = await self._lookups.ask(lookup, key)
        return found

    async def guarded(self, change: Guarded[R], /, **values: object) -> R | None:
        async with self.transaction() as session:
            return await session.guarded(change, **values)

    async def run_many(self, command: Command, rows: Sequence[Mapping[str, object]]) -> None:
        async with self.transaction() as session:
            await session.run_many(command, rows)

    def engine(self) -> AsyncEngine:
        if self._engine is None:
            self._engine = sqlite_engine(self._location.file, PRAGMAS)
        return self._engine

    async def scrub(self) -> None:
        # Rows that moved between pages may have left copies behind: `secure_delete` does not overwrite those, and only
        # a new file is free of them.
        await self._maintain("VACUUM")
        ((busy, *_),) = await self._maintain("PRAGMA wal_checkpoint(TRUNCATE)")
        if busy:
            raise errors.TransactionConflict(f"{self._location.plugin}: the log is being read; try again")

    async def close(self) -> None:
        await self._lookups.close()
        if self._engine is not None:
            await self._engine.dispose()
        await self._readers.close()
        await self._writer.close()

    async def _fetch(self, plan: Plan[R], arguments: Sequence[object]) -> Sequence[Record]:
        return await self._call(self.operations.fetch, plan, arguments)

    async def _maintain(self, statement: str) -> Sequence[Record]:
        connection = self._writer.take() or await self._writer.wait()
        try:
            found = list(await connection.execute_fetchall(statement))
        except BaseException as error:
            self._writer.discard(connection)
            if isinstance(error, sqlite3.Error):
                raise sqlite_failure(self._location.plugin, error) from error
            raise
        self._writer.give(connection)
        return found

    async def _call(self, operation: Operation[T], plan: Plan[R], arguments: Sequence[object]) -> T:
        pool = self._readers if plan.reads else self._writer
        connection = pool.take() or await pool.wait()
        try:
            result = await operation(connection, plan, arguments)
        except Exception as error:
            pool.give(connection)
            raise sqlite_failure(self._location.plugin, error) from error
        except BaseException:
            pool.discard(connection)
            raise
        pool.give(connection)
        return result


class SqliteTransaction(Transaction):
    """The one transaction that may write."""

    dialect = "sqlite"
    operations = _OPERATIONS

    def __init__(self, plugin: str, pool: Pool[aiosqlite.Connection]) -> None:
        super().__init__()
        self._plugin = plugin
        self._pool = pool
        self._connection: aiosqlite.Connection

    async def guarded(self, change: Guarded[R], /, **values: object) -> R | None:
        plans, known = step_plans(change), values
        if plans.first is not None:
            came_first = await self._rows(plans, plans.first, values)
            if not came_first:
                return None
            known = values | plans.first.returned(came_first[0])
        rows = await self._rows(plans, plans.guard, values)
        for row in rows:
            told = known | plans.guard.returned(row)
            for follow in plans.follows:
                await self._call(self.operations.execute, follow, plans.follow_arguments(follow, told))
        return rows[0] if rows else None

    async def _rows(self, plans: GuardPlans[Any], step: Step[R], values: dict[str, object]) -> list[R]:
        records = await self._call(self.operations.fetch, step.plan, plans.arguments(step, values))
        return [step.plan.decode(record) for record in records]

    async def _call(self, operation: Operation[T], plan: Plan[R], arguments: Sequence[object]) -> T:
        self._check_usable()
        try:
            return await operation(self._connection, plan, arguments)
        except Exception as error:
            self._failure = error
            raise sqlite_failure(self._plugin, error) from error
        except BaseException as error:
            self._failure = error
            raise

    async def _begin(self) -> None:
        self._connection = self._pool.take() or await self._pool.wait()
        await self._control("BEGIN IMMEDIATE")

    async def _commit(self) -> None:
        await self._control("COMMIT")
        self._pool.give(self._connection)

    async def _roll_back(self) -> None:
        # SQLite rolls back by itself when the disk is full or broken.
        with contextlib.suppress(errors.DatabaseError):
            await self._control("ROLLBACK")
            self._pool.give(self._connection)

    async def _control(self, statement: str) -> None:
        try:
            await self._connection.execute_fetchall(statement)
        except BaseException as error:
            self._pool.discard(self._connection)
            if isinstance(error, Exception):
                raise sqlite_failure(self._plugin, error) from error
            raise


def sqlite_engine(file: Path, pragmas: Sequence[str], *, busy_limit: float = BUSY_LIMIT) -> AsyncEngine:
    """Return an engine whose transactions begin as ours do and whose connections have *pragmas*."""
    from sqlalchemy.ext.asyncio import create_async_engine  # brings the ORM along, which few ever need

    engine = create_async_engine(f"sqlite+aiosqlite:///{file}", connect_args={"timeout": busy_limit})

    @sa.event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.create_function(SQLITE_NAME, -1, sqlite_sha256, deterministic=True)
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
