"""The history of the tables makes the tables."""

from __future__ import annotations

from pathlib import Path

import lyceum_oidc.migrations
import pytest
from lyceum_oidc.tables import metadata

from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target
from kernel.testing.migrations import assert_revisions_make_exactly
from kernel.testing.servers import PostgresServer


async def test_revisions_make_the_tables(end: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Up, down and up again leaves the tables that the code knows."""
    if end == "sqlite":
        await check(f"sqlite:///{tmp_path}")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    async with server.fresh_database() as url:
        await check(url)


async def check(url: str) -> None:
    settings = DatabaseSettings(url=url)
    await assert_revisions_make_exactly(
        Target(plugin="oidc", settings=settings, metadata=metadata, revisions=lyceum_oidc.migrations)
    )
