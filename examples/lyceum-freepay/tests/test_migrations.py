"""The revisions make the tables exactly."""

from __future__ import annotations

from pathlib import Path

import lyceum_freepay.migrations
from lyceum_freepay.tables import metadata

from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target
from kernel.testing.migrations import assert_revisions_make_exactly


async def test_revisions_make_the_tables_and_undo_them(tmp_path: Path) -> None:
    """Up, down and up again leaves the tables that the code knows."""
    settings = DatabaseSettings(url=f"sqlite:///{tmp_path}")

    await assert_revisions_make_exactly(
        Target(plugin="freepay", settings=settings, metadata=metadata, revisions=lyceum_freepay.migrations)
    )
