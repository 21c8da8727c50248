"""Where one plugin's database is: a schema and role of its own on PostgreSQL, a file of its own on SQLite."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import sqlalchemy as sa

from kernel import errors

Dialect = Literal["postgresql", "sqlite"]

#: Of every plugin: without underscores, so that the names of two schemas differ where those of their plugins do.
PLUGIN_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
#: Behind a plugin's name: the copy on which its upgrade is rehearsed, and which is dropped then.
REHEARSAL: Final = "-rehearsal"
_NAME_LIMIT: Final = 63  # bytes of a PostgreSQL identifier; it cuts longer ones in silence


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """Which server or folder holds a plugin's database, and how many connections the plugin may open."""

    url: str
    pool_size: int = 4


@dataclass(frozen=True, kw_only=True)
class Location:
    """One plugin's place at one URL."""

    plugin: str
    dialect: Dialect
    url: str  #: for asyncpg; it may hold a password
    shown: str  #: for messages, without the password
    schema: str  #: on PostgreSQL: the name of the schema and of the role that owns it
    file: Path  #: on SQLite


def locate(plugin: str, url: str) -> Location:
    """Return where *plugin*'s database is at *url*.

    Raises:
        errors.InvalidPlugin: the name can not become a schema's name.
        errors.InvalidSettings: the URL is of no kind that we know.
    """
    schema = schema_name(plugin)
    parsed = _parse(plugin, url)
    return Location(
        plugin=plugin,
        dialect="sqlite" if parsed.drivername == "sqlite" else "postgresql",
        url=url,
        shown=parsed.render_as_string(hide_password=True),
        schema=schema,
        file=Path(parsed.database or "") / f"{plugin}.sqlite3",
    )


def schema_name(plugin: str) -> str:
    """Return the name of *plugin*'s schema and role. Names hold no underscore, so no two become the same."""
    name = f"p_{plugin.replace('-', '_')}"
    if PLUGIN_NAME.fullmatch(plugin) is None or len(name) > _NAME_LIMIT:
        remedy = "use up to 61 lower-case letters and digits, in words joined by hyphens"
        raise errors.InvalidPlugin(f"the name {plugin!r} can not name a database schema; {remedy}", plugin=plugin)
    return name


def _parse(plugin: str, url: str) -> sa.URL:
    try:
        parsed = sa.engine.make_url(url)
    except sa.exc.ArgumentError:
        parsed = None
    # A URL that is not understood is not repeated: it may hold a password.
    if parsed is None or parsed.drivername not in ("sqlite", "postgresql", "postgres"):
        kinds = "use sqlite:///FOLDER or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        raise errors.InvalidSettings(f"the database URL is of no known kind; {kinds}", plugin=plugin)
    if not parsed.database:
        raise errors.InvalidSettings(f"the database URL {parsed} names no folder or database", plugin=plugin)
    return parsed
