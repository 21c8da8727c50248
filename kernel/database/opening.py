"""Opening a plugin's database. Nothing is connected before the first statement."""

from __future__ import annotations

from typing import Protocol

from kernel.database.api import Database
from kernel.database.location import DatabaseSettings, locate
from kernel.database.postgres import PostgresDatabase
from kernel.database.sqlite import SqliteDatabase

__all__ = ["DatabaseSettings", "OpenDatabase", "open_database"]


class OpenDatabase(Database, Protocol):
    """A database that whoever opened it must close."""

    async def scrub(self) -> None:
        """Remove from the files what changed and deleted rows have left there, where the server does not do so.

        Raises:
            errors.TransactionConflict: somebody reads what would be removed; try again.
        """
        ...

    async def close(self) -> None:
        """Close every connection and refuse whoever waits for one."""
        ...


def open_database(plugin: str, settings: DatabaseSettings) -> OpenDatabase:
    """Return *plugin*'s database at the URL of *settings*: `sqlite:///FOLDER` or `postgresql://…`.

    Raises:
        errors.InvalidSettings: the URL is of no kind that we know.
        errors.InvalidPlugin: the plugin's name can not name a schema.
    """
    location = locate(plugin, settings.url)
    if location.dialect == "sqlite":
        return SqliteDatabase(location, settings.pool_size)
    return PostgresDatabase(location, settings.pool_size)
