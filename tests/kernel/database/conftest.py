"""A database for each test, on both ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from kernel.database.migrations import Target, upgrade
from kernel.database.opening import DatabaseSettings, OpenDatabase, open_database
from kernel.testing.servers import PostgresServer
from tests.kernel.database import library

#: Opens the database of a plugin, in which the tables of the library stand.
Open = Callable[..., Awaitable[OpenDatabase]]


@pytest_asyncio.fixture
async def empty_url(end: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The URL of a place where nothing is yet."""
    if end == "sqlite":
        yield f"sqlite:///{tmp_path}"
        return
    async with request.getfixturevalue("postgres_server").fresh_database() as fresh:
        yield fresh


@pytest.fixture(scope="session")
def templates() -> list[str]:
    """The PostgreSQL database with the library's tables that is copied for each test, once it has been made."""
    return []


@pytest_asyncio.fixture
async def url(end: str, tmp_path: Path, templates: list[str], request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The URL of a place where the library's tables stand."""
    if end == "sqlite":
        await make_tables("library", f"sqlite:///{tmp_path}")
        yield f"sqlite:///{tmp_path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    if not templates:
        templates.append(await server.create_database())
        await make_tables("library", server.url(templates[0]))
    async with server.fresh_database(templates[0]) as fresh:
        yield fresh


@pytest_asyncio.fixture
async def open_db(url: str) -> AsyncIterator[Open]:
    """Open databases that are closed when the test ends."""
    async with AsyncExitStack() as stack:

        async def open_one(plugin: str = "library", *, pool_size: int = 4, at: str = url) -> OpenDatabase:
            if (plugin, at) != ("library", url):
                await make_tables(plugin, at)
            db = open_database(plugin, DatabaseSettings(url=at, pool_size=pool_size))
            stack.push_async_callback(db.close)
            return db

        yield open_one


@pytest_asyncio.fixture
async def db(open_db: Open) -> OpenDatabase:
    """The library's database, with its tables."""
    return await open_db()


async def make_tables(plugin: str, url: str) -> None:
    """Make the kernel's tables and the library's at *url* for *plugin*."""
    settings = DatabaseSettings(url=url)
    await upgrade([Target(plugin=plugin, settings=settings)])
    db = open_database(plugin, settings)
    try:
        async with db.engine().begin() as connection:
            await connection.run_sync(library.metadata.create_all)
    finally:
        await db.close()
