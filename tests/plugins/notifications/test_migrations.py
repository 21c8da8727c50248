"""The revisions of notifications."""

from __future__ import annotations

from pathlib import Path

from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target
from kernel.testing.migrations import assert_revisions_make_exactly
from kernel.testing.servers import PostgresServer
from plugins.notifications import migrations
from plugins.notifications.tables import metadata


def _target(url: str) -> Target:
    return Target(plugin="notifications", settings=DatabaseSettings(url=url), metadata=metadata, revisions=migrations)


async def test_revisions_make_the_tables_on_sqlite(tmp_path: Path) -> None:
    """Up, down and up again gives exactly what the code declares."""
    await assert_revisions_make_exactly(_target(f"sqlite:///{tmp_path}"))


async def test_revisions_make_the_tables_on_postgresql(postgres_server: PostgresServer) -> None:
    """Up, down and up again gives exactly what the code declares."""
    database = await postgres_server.create_database()

    await assert_revisions_make_exactly(_target(postgres_server.url(database)))
