"""The revisions of the tables of auth."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from kernel import new_id
from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target, downgrade, upgrade
from kernel.testing.migrations import assert_revisions_make_exactly
from kernel.testing.servers import PostgresServer
from plugins.auth import migrations
from plugins.auth.tables import metadata


def _target(url: str) -> Target:
    return Target(plugin="auth", settings=DatabaseSettings(url=url), metadata=metadata, revisions=migrations)


async def test_revisions_make_exactly_the_tables_on_sqlite(tmp_path: Path) -> None:
    """Up, down to nothing and up again."""
    await assert_revisions_make_exactly(_target(f"sqlite:///{tmp_path}"))


async def test_revisions_make_exactly_the_tables_on_postgresql(postgres_server: PostgresServer) -> None:
    """Up, down to nothing and up again."""
    async with postgres_server.fresh_database() as url:
        await assert_revisions_make_exactly(_target(url))


async def test_accounts_stay_when_their_devices_are_known_no_more(tmp_path: Path) -> None:
    """The older tables have no place for devices; with the newer ones again every account is without any."""
    target, account = _target(f"sqlite:///{tmp_path}"), new_id().hex
    await upgrade([target])
    with closing(sqlite3.connect(tmp_path / "auth.sqlite3")) as connection:
        connection.execute(
            "INSERT INTO accounts (id, email, active, created_at) VALUES (?, 'ada@example.org', 1, '2026-01-01')",
            (account,),
        )
        connection.execute("INSERT INTO devices VALUES (?, x'00', '2026-01-01')", (account,))
        connection.commit()

    await downgrade(target, "auth_0004")
    await upgrade([target])

    with closing(sqlite3.connect(tmp_path / "auth.sqlite3")) as connection:
        assert connection.execute("SELECT id FROM accounts").fetchall() == [(account,)]
        assert connection.execute("SELECT * FROM devices").fetchall() == []
