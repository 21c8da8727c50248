"""What was deleted or changed is not in the files any more."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random
from typing import Final
from uuid import UUID

import pytest

from kernel.database.sqlite import PRAGMAS
from tests.kernel.database.conftest import Open
from tests.kernel.database.library import TITLES

MARK: Final = b"unmistakably-hers"
SEED: Final = 3  # of rows that move from page to page so that overwriting them where they end is not enough


def live_and_die(file: Path) -> None:
    """Write many rows, hers among them, change some, and take hers out again."""
    random = Random(SEED)
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("CREATE TABLE t (id TEXT PRIMARY KEY, title TEXT UNIQUE, cover BLOB, n INT)")
    hers = []
    for number in range(1500):
        is_hers = number % 7 == 0
        key = str(UUID(int=random.getrandbits(128)))
        title = f"{MARK.decode()} {random.getrandbits(40)}" if is_hers else f"b{random.getrandbits(60)}"
        cover = MARK * random.randrange(60) if is_hers else bytes(random.randrange(900))
        connection.execute("INSERT INTO t VALUES (?, ?, ?, ?)", (key, title, cover, number))
        hers += [key] if is_hers else []
        if random.random() < 0.2:
            grown = (bytes(random.randrange(1500)), random.randrange(number + 1) // 7 * 7 + 1)
            connection.execute("UPDATE t SET cover = ? WHERE n = ?", grown)
    for key in hers:
        if random.random() < 0.5:
            changed = (str(random.getrandbits(50)), key)
            connection.execute("UPDATE t SET title = ?, cover = x'' WHERE id = ?", changed)
        else:
            connection.execute("DELETE FROM t WHERE id = ?", (key,))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def files_with_the_mark(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if MARK in file.read_bytes()]


@pytest.mark.sqlite_only
async def test_what_is_gone_is_in_no_file_after_a_scrub(open_db: Open, tmp_path: Path) -> None:
    """Overwriting alone leaves copies where rows were before they moved."""
    db, file = await open_db(), tmp_path / "library.sqlite3"
    await db.all(TITLES)
    live_and_die(file)
    before = files_with_the_mark(tmp_path)

    await db.scrub()

    assert before == [file.name]
    assert files_with_the_mark(tmp_path) == []


@pytest.mark.sqlite_only
async def test_what_is_deleted_is_overwritten_at_once(open_db: Open) -> None:
    """Between two scrubs too."""
    db = await open_db()
    async with db.engine().connect() as connection:
        assert (await connection.exec_driver_sql("PRAGMA secure_delete")).scalar_one() == 1
    assert "secure_delete = ON" in PRAGMAS


async def test_database_is_used_as_before_after_a_scrub(open_db: Open) -> None:
    """On PostgreSQL there is nothing to do."""
    db = await open_db()

    await db.scrub()

    assert await db.all(TITLES) == []
