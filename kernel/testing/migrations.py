"""The test that every plugin's revisions owe: they make its tables exactly, and undo what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from kernel.database.migrations import Target, downgrade, is_current, upgrade
from kernel.database.opening import open_database

T = TypeVar("T")


async def assert_revisions_make_exactly(target: Target) -> None:
    """Go up, down to the base and up again, and compare the tables with the target's metadata.

    Raises:
        AssertionError: tables and metadata differ; the message lists Alembic's operations that would mend it.
    """
    found = await revision_faults(target)
    assert found == [], "; ".join(found)


async def revision_faults(target: Target) -> list[str]:
    """Return what going up, down and up again shows to be wrong with the revisions, for people.

    Raises:
        errors.MigrationFailed: a revision raised.
    """
    await upgrade([target])
    await downgrade(target, "base")
    left = [f"the downgrade to the base leaves {table} behind" for table in sorted(await _plugin_tables(target))]
    await upgrade([target])
    assert await is_current(target)
    return [*left, *(f"tables and metadata differ: {one}" for one in await _differences(target))]


async def _differences(target: Target) -> list[Any]:
    metadata = [history.metadata for history in target.histories if history.metadata is not None]
    version_tables = {history.version_table for history in target.histories}

    def compare(connection: sa.Connection) -> list[Any]:
        options = {
            "include_name": lambda name, kind, _parents: not (kind == "table" and name in version_tables),
            "compare_type": True,
            "compare_server_default": True,
        }
        context = MigrationContext.configure(connection, opts=options)
        found = compare_metadata(context, metadata)  # type: ignore[arg-type]  # it takes several as well as one
        return [difference for difference in found if not _is_identity_on_sqlite(connection, difference)]

    return await _inspect(target, compare)


def _is_identity_on_sqlite(connection: sa.Connection, difference: Any) -> bool:
    # SQLite numbers an INTEGER key by itself and keeps no word of the identity that PostgreSQL needs for it.
    kind, wanted = difference[0][0], difference[0][-1]
    return connection.dialect.name == "sqlite" and kind == "modify_default" and isinstance(wanted, sa.Identity)


async def _plugin_tables(target: Target) -> set[str]:
    metadata = target.histories[-1].metadata
    expected = set(metadata.tables) if metadata is not None else set()
    return expected & set(await _inspect(target, lambda connection: sa.inspect(connection).get_table_names()))


async def _inspect(target: Target, look: Callable[[sa.Connection], T]) -> T:
    db = open_database(target.plugin, target.settings)
    try:
        async with db.engine().connect() as connection:
            return await connection.run_sync(look)
    finally:
        await db.close()
