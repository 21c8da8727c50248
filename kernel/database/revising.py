"""Running Alembic: the environment that the revisions of every plugin run in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any, Final

import asyncpg
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from kernel import errors
from kernel.database.location import Location
from kernel.database.migrations import History, OnStep, Target
from kernel.database.postgres import connect
from kernel.database.provisioning import provisioned
from kernel.database.sqlite import PRAGMAS, sqlite_engine

_BUSY_LIMIT: Final = 600.0  # seconds to wait for another process that migrates the same file
#: A revision that waits for a lock holds up everybody who comes after it.
_POSTGRES_LIMITS: Final = {"lock_timeout": "10000"}  # milliseconds
#: Rebuilding a table must not delete the rows that refer to it; they are checked at the end.
_SQLITE_PRAGMAS: Final = tuple(pragma for pragma in PRAGMAS if not pragma.startswith("foreign_keys"))

#: Picks the steps to take from where the database is.
Steps = Callable[[ScriptDirectory, Any], list[Any]]


async def upgrade(target: Target, on_step: OnStep) -> None:
    """Apply all revisions of the kernel's history and of the plugin's, all or none."""
    async with _migrating(target) as connection:
        for history in target.histories:
            await connection.run_sync(_run, target.plugin, history, _up, on_step)


async def downgrade(target: Target, revision: str) -> None:
    """Take back the revisions after *revision* of the last of the histories, all or none."""

    def down(script: ScriptDirectory, current: Any) -> list[Any]:
        return script._downgrade_revs(revision, current)  # noqa: SLF001  # what `alembic downgrade` itself calls

    async with _migrating(target) as connection:
        await connection.run_sync(_run, target.plugin, target.histories[-1], down, lambda plugin, revision: None)


def _up(script: ScriptDirectory, current: Any) -> list[Any]:
    return script._upgrade_revs("head", current)  # noqa: SLF001  # what `alembic upgrade` itself calls


def _run(connection: sa.Connection, plugin: str, history: History, steps: Steps, on_step: OnStep) -> None:
    script = ScriptDirectory(history.folder.parent, version_locations=[history.folder])
    revision = history.version_table  # what an error is about before the first step

    def announced(current: Any, _context: object) -> Iterator[Any]:
        nonlocal revision
        for step in steps(script, current):
            revision = step.revision.revision
            on_step(plugin, revision)
            yield step

    try:
        with EnvironmentContext(Config(), script, fn=announced) as environment:
            environment.configure(
                connection=connection,
                target_metadata=history.metadata,
                version_table=history.version_table,
                render_as_batch=connection.dialect.name == "sqlite",
            )
            environment.run_migrations()
    except Exception as error:
        reason = getattr(error, "orig", None) or error  # SQLAlchemy adds a page to what the driver said
        raise errors.MigrationFailed(f"{revision} failed, nothing was changed: {reason}", plugin=plugin) from error


@asynccontextmanager
async def _migrating(target: Target) -> AsyncIterator[AsyncConnection]:
    """Open the one transaction of a migration, alone on the plugin's database."""
    location = target.location
    postgres = location.dialect == "postgresql"
    engine = (
        _postgres_engine(location)
        if postgres
        else sqlite_engine(location.file, _SQLITE_PRAGMAS, busy_limit=_BUSY_LIMIT)
    )
    try:
        if not postgres:
            location.file.parent.mkdir(parents=True, exist_ok=True)
        async with provisioned(location) if postgres else nullcontext(), engine.begin() as connection:
            yield connection
            if not postgres:
                await _check_references(connection, target.plugin)
    except (errors.DatabaseUnavailable, sa.exc.DBAPIError, OSError) as error:
        raise errors.MigrationFailed(
            f"nothing was changed at {location.shown}: {error}", plugin=target.plugin
        ) from error
    finally:
        await engine.dispose()


def _postgres_engine(location: Location) -> AsyncEngine:
    async def open_connection() -> asyncpg.Connection:
        return await connect(location, limits=_POSTGRES_LIMITS)

    return create_async_engine("postgresql+asyncpg://", async_creator=open_connection, poolclass=sa.NullPool)


async def _check_references(connection: AsyncConnection, plugin: str) -> None:
    broken = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).mappings().first()
    if broken is not None:
        complaint = f"a row of {broken['table']} refers to a row of {broken['parent']} that is gone"
        raise errors.MigrationFailed(f"nothing was changed: {complaint}", plugin=plugin)
