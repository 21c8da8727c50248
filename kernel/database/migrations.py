"""Bringing databases up to date: for each plugin the history of the kernel's tables, then its own.

Each history has its version table in the plugin's own schema or file. Alembic runs them, and only where something
is to be done: finding out that nothing is does not load it.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final
from weakref import WeakKeyDictionary

import asyncpg
import sqlalchemy as sa

from kernel import errors
from kernel.database import revisions as kernel_revisions
from kernel.database import tables
from kernel.database.location import DatabaseSettings, Location, locate
from kernel.database.postgres import connect

#: Told of each revision before it runs: the plugin and the revision's id.
OnStep = Callable[[str, str], None]

_REVISION: Final = re.compile(r"""^revision\b[^=\n]*=\s*["']([^"']+)["']""", re.MULTILINE)
_DOWN_REVISION: Final = re.compile(r"^down_revision\b[^=\n]*=\s*(.+)$", re.MULTILINE)
_QUOTED: Final = re.compile(r"""["']([^"']+)["']""")

# Alembic keeps what it works on in module globals: one migration at a time in each process.
_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class Target:
    """One plugin's database and the revisions that make its tables; both None for a plugin without tables."""

    plugin: str
    settings: DatabaseSettings
    metadata: sa.MetaData | None = None
    revisions: ModuleType | None = None

    @property
    def location(self) -> Location:
        return locate(self.plugin, self.settings.url)

    @property
    def histories(self) -> tuple[History, ...]:
        """The kernel's history, then the plugin's own if it has one."""
        kernel = History("kernel_version", kernel_revisions, tables.metadata)
        if self.revisions is None:
            return (kernel,)
        return (kernel, History("alembic_version", self.revisions, self.metadata))


@dataclass(frozen=True)
class History:
    """A line of revisions and the table that says how far it has been applied."""

    version_table: str
    revisions: ModuleType
    metadata: sa.MetaData | None

    @property
    def folder(self) -> Path:
        """The folder of the revision files."""
        return Path(self.revisions.__path__[0]) / "versions"

    def heads(self) -> set[str]:
        """Return the revisions that no other one follows, read from the files without running them."""
        texts = [file.read_text() for file in sorted(self.folder.glob("*.py"))]
        made = {name for text in texts for name in _REVISION.findall(text)}
        followed = {name for text in texts for line in _DOWN_REVISION.findall(text) for name in _QUOTED.findall(line)}
        return made - followed


async def is_current(target: Target) -> bool:
    """Return whether every revision of *target* has been applied, by one query.

    Raises:
        errors.DatabaseUnavailable: the server can not be reached.
    """
    location, histories = target.location, target.histories
    ask = _ask_postgres if location.dialect == "postgresql" else _ask_sqlite
    schema = f'"{location.schema}".' if location.dialect == "postgresql" else ""
    query = " UNION ALL ".join(
        f"SELECT '{history.version_table}', version_num FROM {schema}{history.version_table}"  # noqa: S608  # our names
        for history in histories
    )
    return await ask(location, query) == {
        (history.version_table, head) for history in histories for head in history.heads()
    }


async def upgrade(targets: Sequence[Target], *, on_step: OnStep | None = None) -> None:
    """Apply all revisions that are missing, plugin after plugin; those of one plugin all or none.

    Several processes may do so at once: one works, the others wait and find nothing left to do.

    Raises:
        errors.MigrationFailed: a revision failed, or the database can not be prepared; later plugins were not tried.
    """
    from kernel.database import revising  # loads Alembic, which a start that finds nothing to do can spare

    async with _one_at_a_time():
        for target in targets:
            await revising.upgrade(target, on_step or _say_nothing)


async def downgrade(target: Target, revision: str) -> None:
    """Go back to *revision* or `base` in the plugin's own history; in the kernel's, if the plugin has none.

    Raises:
        errors.MigrationFailed: a revision failed; nothing was changed.
    """
    from kernel.database import revising  # see `upgrade`

    async with _one_at_a_time():
        await revising.downgrade(target, revision)


def _one_at_a_time() -> asyncio.Lock:
    return _locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _say_nothing(plugin: str, revision: str) -> None:
    pass


async def _ask_postgres(location: Location, query: str) -> set[tuple[str, str]]:
    connection = await connect(location, role=False)
    try:
        return {(table, version) for table, version in await connection.fetch(query)}
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.InsufficientPrivilegeError):
        return set()
    finally:
        await connection.close()


async def _ask_sqlite(location: Location, query: str) -> set[tuple[str, str]]:
    return await asyncio.to_thread(_read_sqlite, location.file, query)


def _read_sqlite(file: Path, query: str) -> set[tuple[str, str]]:
    if not file.exists():
        return set()
    try:
        with closing(sqlite3.connect(file)) as connection:
            return set(connection.execute(query).fetchall())
    except sqlite3.OperationalError:  # no such table
        return set()
    except sqlite3.Error as error:
        raise errors.DatabaseUnavailable(f"can not read {file}: {error}") from error
