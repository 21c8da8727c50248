"""PostgreSQL: compiled statements on bare asyncpg connections that bear the plugin's own role."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg

from kernel import errors
from kernel.database.executor import Operation, Operations, PlanExecutor, Record
from kernel.database.failures import is_lost, postgres_failure
from kernel.database.groups import Groups
from kernel.database.guards import single_plan
from kernel.database.location import Location
from kernel.database.lookups import Lookups
from kernel.database.plans import Plan
from kernel.database.pool import Pool
from kernel.database.statements import Guarded, Load, Lookup
from kernel.database.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

R = TypeVar("R")
T = TypeVar("T")

CONNECT_LIMIT: Final = 10.0  # seconds
_CLOSE_LIMIT: Final = 2.0  # seconds
_STATEMENT_CACHE: Final = 512  # prepared statements kept by each connection

#: Milliseconds; what holds the others up is ended by the server, whatever becomes of us.
SERVING_LIMITS: Final = {
    "statement_timeout": "30000",
    "lock_timeout": "10000",
    "idle_in_transaction_session_timeout": "60000",
}


async def connect(
    location: Location, *, role: bool = True, limits: Mapping[str, str] = SERVING_LIMITS
) -> asyncpg.Connection:
    """Open a connection as the plugin's role, or as the deployment's user itself.

    Raises:
        errors.DatabaseUnavailable: the server can not be reached or refuses us.
    """
    settings = {"application_name": f"lyceum {location.plugin}", "jit": "off", **limits}
    if role:
        settings |= {"role": location.schema, "search_path": location.schema}
    try:
        return await asyncpg.connect(
            location.url,
            timeout=CONNECT_LIMIT,
            server_settings=settings,
            statement_cache_size=_STATEMENT_CACHE,
            max_cached_statement_lifetime=0,
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        told = f"{location.plugin}: can not connect to {location.shown}: {error or type(error).__name__}"
        raise errors.DatabaseUnavailable(told) from error


class PostgresDriver:
    """Connections of one plugin for a `Pool`."""

    def __init__(self, location: Location) -> None:
        self._location = location

    async def connect(self) -> asyncpg.Connection:
        return await connect(self._location)

    def is_closed(self, connection: asyncpg.Connection) -> bool:
        return bool(connection.is_closed())

    async def close(self, connection: asyncpg.Connection) -> None:
        # Closing waits for a command that is being cancelled; when that takes too long, the connection is cut.
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            await connection.close(timeout=_CLOSE_LIMIT)


async def _execute(connection: asyncpg.Connection, plan: Plan[Any], arguments: Sequence[object]) -> int:
    count = (await connection.execute(plan.sql, *arguments)).rpartition(" ")[2]
    return int(count) if count.isdecimal() else 0


async def _load(connection: asyncpg.Connection, load: Load, plan: Plan[Any], rows: Sequence[Sequence[object]]) -> None:
    await connection.copy_records_to_table(load.table.name, records=rows, columns=plan.order)


_OPERATIONS: Final = Operations(
    fetch=lambda connection, plan, arguments: connection.fetch(plan.sql, *arguments),
    fetch_first=lambda connection, plan, arguments: connection.fetchrow(plan.sql, *arguments),
    execute=_execute,
    execute_many=lambda connection, plan, rows: connection.executemany(plan.sql, rows),
    load=_load,
)


class _PostgresExecutor(PlanExecutor):
    dialect = "postgresql"
    operations = _OPERATIONS

    async def guarded(self, change: Guarded[R], /, **values: object) -> R | None:
        plan = single_plan(change)
        record = await self._call(self.operations.fetch_first, plan, plan.arguments(values))
        return None if record is None else plan.decode(record)


class PostgresDatabase(_PostgresExecutor):
    """One plugin's schema."""

    def __init__(self, location: Location, pool_size: int) -> None:
        self._location = location
        self._pool = Pool(PostgresDriver(location), name=location.plugin, size=pool_size)
        self._lookups = Lookups(self.dialect, self._fetch)
        self._groups = Groups(self._fetch)
        self._engine: AsyncEngine | None = None

    def transaction(self) -> PostgresTransaction:
        return PostgresTransaction(self._location.plugin, self._pool)

    async def lookup(self, lookup: Lookup[R], key: object) -> R | None:
        found: R | None = await self._lookups.ask(lookup, key)
        return found

    async def guarded(self, change: Guarded[R], /, **values: object) -> R | None:
        if change.key is None:
            return await super().guarded(change, **values)
        found: R | None = await self._groups.ask(change, values)
        return found

    async def scrub(self) -> None:
        pass  # autovacuum does it

    def engine(self) -> AsyncEngine:
        from sqlalchemy.ext.asyncio import create_async_engine  # brings the ORM along, which few ever need

        if self._engine is None:
            self._engine = create_async_engine(
                "postgresql+asyncpg://", async_creator=self._connect_for_engine, pool_size=2, max_overflow=0
            )
        return self._engine

    async def close(self) -> None:
        await self._lookups.close()
        await self._groups.close()
        if self._engine is not None:
            await self._engine.dispose()
        await self._pool.close()

    async def _fetch(self, plan: Plan[R], arguments: Sequence[object]) -> Sequence[Record]:
        return await self._call(self.operations.fetch, plan, arguments)

    async def _connect_for_engine(self) -> asyncpg.Connection:
        return await connect(self._location)

    async def _call(
        self, operation: Operation[T], plan: Plan[R], arguments: Sequence[object], again: bool = False
    ) -> T:
        pool = self._pool
        connection = pool.take() or await pool.wait()
        try:
            result = await operation(connection, plan, arguments)
        except Exception as error:
            lost = is_lost(connection, error)
            if lost:
                pool.discard(connection)
            else:
                pool.give(connection)
            # The connection may have died while it idled. A read may run again; a change may have happened.
            if lost and plan.reads and not again:
                pool.discard_idle()
                return await self._call(operation, plan, arguments, again=True)
            raise postgres_failure(self._location.plugin, error, lost=lost) from error
        except BaseException:
            pool.discard(connection)  # it still runs a command that nobody waits for
            raise
        pool.give(connection)
        return result


class PostgresTransaction(_PostgresExecutor, Transaction):
    """One open transaction on one connection."""

    def __init__(self, plugin: str, pool: Pool[asyncpg.Connection]) -> None:
        super().__init__()
        self._plugin = plugin
        self._pool = pool
        self._connection: asyncpg.Connection

    async def _call(self, operation: Operation[T], plan: Plan[R], arguments: Sequence[object]) -> T:
        self._check_usable()
        try:
            return await operation(self._connection, plan, arguments)
        except Exception as error:
            self._failure = error
            raise self._told(error) from error
        except BaseException as error:
            self._failure = error
            raise

    async def _begin(self) -> None:
        # A connection that died while it idled shows itself here, where trying once more is harmless.
        for last in (False, True):
            self._connection = self._pool.take() or await self._pool.wait()
            try:
                await self._connection.execute("BEGIN")
            except Exception as error:
                self._pool.discard(self._connection)
                if last or not is_lost(self._connection, error):
                    raise self._told(error) from error
                self._pool.discard_idle()
            except BaseException:
                self._pool.discard(self._connection)
                raise
            else:
                return

    async def _commit(self) -> None:
        try:
            await self._connection.execute("COMMIT")
        except Exception as error:
            self._pool.discard(self._connection)
            raise self._told(error) from error
        except BaseException:
            self._pool.discard(self._connection)
            raise
        self._pool.give(self._connection)

    async def _roll_back(self) -> None:
        # What broke off in the middle is not worth saving: the server rolls back when the connection closes.
        if self._connection.is_closed() or isinstance(self._failure, asyncio.CancelledError):
            self._pool.discard(self._connection)
            return
        try:
            await self._connection.execute("ROLLBACK")
        except Exception:  # the connection is gone, and the transaction with it
            self._pool.discard(self._connection)
        except BaseException:
            self._pool.discard(self._connection)
            raise
        else:
            self._pool.give(self._connection)

    def _told(self, error: Exception) -> Exception:
        return postgres_failure(self._plugin, error, lost=is_lost(self._connection, error))
