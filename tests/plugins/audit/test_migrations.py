"""The revisions of the tables of audit."""

from __future__ import annotations

import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path
from uuid import UUID

import pytest

from kernel import new_id
from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target, downgrade, upgrade
from kernel.errors import MigrationFailed
from kernel.testing.migrations import assert_revisions_make_exactly
from kernel.testing.servers import PostgresServer
from plugins.audit import migrations
from plugins.audit.tables import metadata


def _target(url: str) -> Target:
    return Target(plugin="audit", settings=DatabaseSettings(url=url), metadata=metadata, revisions=migrations)


async def test_revisions_make_exactly_the_tables_on_sqlite(tmp_path: Path) -> None:
    """Up, down to nothing and up again."""
    await assert_revisions_make_exactly(_target(f"sqlite:///{tmp_path}"))


async def test_revisions_make_exactly_the_tables_on_postgresql(postgres_server: PostgresServer) -> None:
    """Up, down to nothing and up again."""
    async with postgres_server.fresh_database() as url:
        await assert_revisions_make_exactly(_target(url))


@pytest.mark.parametrize("about", [None, new_id()])
async def test_acts_that_say_whom_they_are_about_keep_it(tmp_path: Path, about: UUID | None) -> None:
    """Their links cover it: the older tables, which have no place for it, are refused; others go back."""
    target = _target(f"sqlite:///{tmp_path}")
    await upgrade([target])
    with closing(sqlite3.connect(tmp_path / "audit.sqlite3")) as connection:
        connection.execute(
            "INSERT INTO acts VALUES (1, 'e', '2026-01-01', 'a', 's', NULL, NULL, '', '', NULL, NULL, 's', 'c', '', ?)",
            (about and about.hex,),
        )
        connection.commit()

    with pytest.raises(MigrationFailed, match="restore a backup") if about else nullcontext():
        await downgrade(target, "audit_0001")
