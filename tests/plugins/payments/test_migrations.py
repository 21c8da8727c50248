"""The revisions make the tables exactly, on both ends."""

from __future__ import annotations

from pathlib import Path

from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target
from kernel.testing.migrations import assert_revisions_make_exactly
from kernel.testing.servers import PostgresServer
from plugins.payments import migrations
from plugins.payments.tables import metadata


def target(url: str) -> Target:
    return Target(plugin="payments", settings=DatabaseSettings(url=url), metadata=metadata, revisions=migrations)


async def test_revisions_make_the_tables_on_sqlite(tmp_path: Path) -> None:
    """Up, down and up again leaves the tables that the code knows."""
    await assert_revisions_make_exactly(target(f"sqlite:///{tmp_path}"))


async def test_revisions_make_the_tables_on_postgresql(postgres_server: PostgresServer) -> None:
    """Up, down and up again leaves the tables that the code knows."""
    async with postgres_server.fresh_database() as url:
        await assert_revisions_make_exactly(target(url))
