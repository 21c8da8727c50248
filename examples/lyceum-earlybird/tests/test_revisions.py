"""The revision makes the table exactly, and undoes it, on both ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from lyceum_earlybird import discounts, migrations

from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target
from kernel.testing.migrations import assert_revisions_make_exactly
from kernel.testing.servers import PostgresServer


async def test_revisions_make_the_table_and_undo_it(end: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Up, down and up again."""
    if end == "sqlite":
        await check(f"sqlite:///{tmp_path}")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    async with server.fresh_database() as url:
        await check(url)


async def check(url: str) -> None:
    settings = DatabaseSettings(url=url)
    target = Target(plugin="earlybird", settings=settings, metadata=discounts.metadata, revisions=migrations)
    await assert_revisions_make_exactly(target)
