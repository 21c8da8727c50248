"""Copies of a plugin's database, on which revisions can be tried; they are gone with the block."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import asyncpg

from kernel import errors
from kernel.database.location import REHEARSAL, DatabaseSettings, Location
from kernel.database.migrations import Target, upgrade
from kernel.database.postgres import connect

#: Columns that can be copied, table by table; what is computed from others is computed again.
_COLUMNS: Final = """
    SELECT table_name, array_agg(quote_ident(column_name) ORDER BY ordinal_position)
    FROM information_schema.columns
    WHERE table_schema = $1 AND is_generated = 'NEVER'
    GROUP BY table_name
"""
_NUMBERED: Final = """
    SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = $1 AND is_identity = 'YES'
"""


@asynccontextmanager
async def copied(target: Target) -> AsyncIterator[Target]:
    """Copy the database of *target*, which is up to date with its own revisions.

    On PostgreSQL the copy is a schema of its own beside it, made by the same revisions and filled in one snapshot.

    Raises:
        errors.DatabaseUnavailable: the server can not be reached.
        errors.MigrationFailed: the copy can not be made, or another rehearsal has one.
    """
    location = target.location
    if location.dialect == "sqlite":
        with tempfile.TemporaryDirectory(prefix="lyceum-rehearsal-") as folder:
            copy = replace(target, settings=DatabaseSettings(url=f"sqlite:///{folder}"))
            await asyncio.to_thread(_copy_file, location.file, copy.location.file)
            yield copy
        return
    copy = replace(target, plugin=f"{target.plugin}{REHEARSAL}")
    async with _alone(copy.location):
        await _drop(copy.location)  # what a rehearsal left that was killed
        try:
            await upgrade([copy])
            await _copy_rows(target, copy)
            yield copy
        finally:
            await _drop(copy.location)


@asynccontextmanager
async def _alone(location: Location) -> AsyncIterator[None]:
    """Keep out other rehearsals of the same plugin, which would drop this copy."""
    connection = await connect(location, role=False, limits={})
    try:
        # The lock belongs to the connection: it is free again when this process dies.
        if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", location.schema):
            raise errors.MigrationFailed(
                "another rehearsal of its upgrade runs; try again once that has ended",
                plugin=location.plugin.removesuffix(REHEARSAL),
            )
        yield
    finally:
        await connection.close()


def _copy_file(source: Path, copy: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)


async def _copy_rows(target: Target, copy: Target) -> None:
    source, schema = target.location.schema, copy.location.schema
    connection = await connect(target.location, role=False, limits={})
    try:
        async with connection.transaction(isolation="repeatable_read"):
            columns = dict(await connection.fetch(_COLUMNS, schema))
            tables = [name for name in _order(copy) if name in columns]
            for table in reversed(tables):  # revisions may have filled some
                await connection.execute(f'ALTER TABLE "{schema}"."{table}" DISABLE TRIGGER USER')
                await connection.execute(f'DELETE FROM "{schema}"."{table}"')  # noqa: S608  # our names
            for table in tables:
                names = ", ".join(columns[table])
                await connection.execute(
                    f'INSERT INTO "{schema}"."{table}" ({names}) OVERRIDING SYSTEM VALUE '  # noqa: S608
                    f'SELECT {names} FROM "{source}"."{table}"'
                )
                await connection.execute(f'ALTER TABLE "{schema}"."{table}" ENABLE TRIGGER USER')
            await _go_on_numbering(connection, schema)
    finally:
        await connection.close()


def _order(target: Target) -> list[str]:
    """Return the tables, those that others refer to first."""
    metadata = [history.metadata for history in target.histories if history.metadata is not None]
    return [table.name for one in metadata for table in one.sorted_tables]


async def _go_on_numbering(connection: asyncpg.Connection, schema: str) -> None:
    for table, column in await connection.fetch(_NUMBERED, schema):
        await connection.execute(
            f"SELECT setval(pg_get_serial_sequence('\"{schema}\".\"{table}\"', '{column}'), "  # noqa: S608
            f'(SELECT coalesce(max("{column}"), 0) + 1 FROM "{schema}"."{table}"), false)'
        )


async def _drop(location: Location) -> None:
    connection = await connect(location, role=False, limits={})
    try:
        await connection.execute(f'DROP SCHEMA IF EXISTS "{location.schema}" CASCADE')
        await connection.execute(f'DROP ROLE IF EXISTS "{location.schema}"')
    finally:
        await connection.close()
