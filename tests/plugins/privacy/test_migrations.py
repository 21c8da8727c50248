"""The revisions of the tables of privacy."""

from __future__ import annotations

from pathlib import Path

from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target
from kernel.testing.migrations import assert_revisions_make_exactly
from kernel.testing.servers import PostgresServer
from plugins.privacy import migrations
from plugins.privacy.tables import metadata


def _target(url: str) -> Target:
    return Target(plugin="privacy", settings=DatabaseSettings(url=url), metadata=metadata, revisions=migrations)


async def test_revisions_make_exactly_the_tables_on_sqlite(tmp_path: Path) -> None:
    """Up, down to nothing and up again."""
    await assert_revisions_make_exactly(_target(f"sqlite:///{tmp_path}"))


async def test_revisions_make_exactly_the_tables_on_postgresql(postgres_server: PostgresServer) -> None:
    """Up, down to nothing and up again."""
    async with postgres_server.fresh_database() as url:
        await assert_revisions_make_exactly(_target(url))
