"""The two ends on which every test runs, and databases for each: copies of one that was migrated before."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from redis.asyncio import Redis

from kernel.database.location import DatabaseSettings
from kernel.database.migrations import upgrade
from kernel.lifecycle import target
from kernel.members import Member
from kernel.testing.servers import PostgresServer

REDIS_DATABASES: Final = 16  # that a server has by default

EndName = Literal["sqlite", "postgresql"]
#: What is in a template → its name: a SQLite file, or a PostgreSQL database.
Templates = dict[frozenset[str], str]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one deployment keeps its data."""

    database: str  #: the URL
    redis: str | None = None  #: the URL


class End(Protocol):
    """Where the deployments of one test keep their data."""

    def reserve(self) -> Place:
        """Return a place whose database is yet to be made."""
        ...

    async def fill(self, place: Place, members: Iterable[Member]) -> None:
        """Make the database of *place*, with the tables of *members*."""
        ...

    async def close(self) -> None:
        """Drop what was made."""
        ...


class SqliteEnd:
    """SQLite files, and events carried by a function call: nothing installed."""

    def __init__(self, folder: Path, templates: Templates) -> None:
        self._folder = folder
        self._templates = templates
        self._made: list[Path] = []

    def reserve(self) -> Place:
        return Place(database=f"sqlite:///{self._folder / uuid4().hex}")

    async def fill(self, place: Place, members: Iterable[Member]) -> None:
        folder = Path(place.database.removeprefix("sqlite:///"))
        folder.mkdir()  # noqa: ASYNC240  # nothing else runs yet
        self._made.append(folder)
        for member in members:
            shutil.copy(await self._template(member), folder / f"{member.name}.sqlite3")

    async def close(self) -> None:
        for folder in self._made:
            shutil.rmtree(folder)

    async def _template(self, member: Member) -> str:
        key = frozenset({_history(member)})  # a file does not say whose it is: the same tables, the same file
        if key not in self._templates:
            folder = self._folder / f"template-{uuid4().hex}"
            await _migrate([member], f"sqlite:///{folder}")
            self._templates[key] = str(folder / f"{member.name}.sqlite3")
        return self._templates[key]


class PostgresEnd:
    """PostgreSQL, and events carried by Redis Streams."""

    def __init__(self, server: PostgresServer, redis_url: str, templates: Templates) -> None:
        self._server = server
        self._redis_url = redis_url
        self._templates = templates
        self._places = 0
        self._made: list[str] = []

    def reserve(self) -> Place:
        self._places += 1
        redis = f"{self._redis_url}?db={self._places % REDIS_DATABASES}"  # streams of one test do not mix
        return Place(database=self._server.url(f"test_{uuid4().hex}"), redis=redis)

    async def fill(self, place: Place, members: Iterable[Member]) -> None:
        by_content = {f"{member.name} {_history(member)}": member for member in members}
        wanted = frozenset(by_content)
        if wanted not in self._templates:
            self._templates[wanted] = await self._make_template(by_content)
        name = urlsplit(place.database).path.removeprefix("/")
        self._made.append(await self._server.create_database(self._templates[wanted], name))

    async def close(self) -> None:
        for name in self._made:
            await self._server.drop_database(name)
        async with Redis.from_url(self._redis_url) as redis:
            await redis.flushall()

    async def _make_template(self, by_content: Mapping[str, Member]) -> str:
        fitting = [content for content in self._templates if content <= by_content.keys()]
        base = max(fitting, key=len, default=frozenset[str]())
        template = await self._server.create_database(self._templates.get(base, "template1"))
        missing = [member for content, member in by_content.items() if content not in base]
        await _migrate(missing, self._server.url(template))
        return template


def _history(member: Member) -> str:
    return member.migrations.revisions.__name__ if member.migrations else ""


async def _migrate(members: Iterable[Member], url: str) -> None:
    await upgrade([replace(target(member), settings=DatabaseSettings(url=url)) for member in members])
