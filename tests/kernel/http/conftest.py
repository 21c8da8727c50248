"""A database with the kernel's own tables for each test, on both ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from kernel.database.migrations import Target, upgrade
from kernel.database.opening import DatabaseSettings, OpenDatabase, open_database


@pytest_asyncio.fixture
async def db(end: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[OpenDatabase]:
    """The database of the plugin `notes`."""
    if end == "sqlite":
        async for opened in _opened(f"sqlite:///{tmp_path}"):
            yield opened
        return
    async with request.getfixturevalue("postgres_server").fresh_database() as url:
        async for opened in _opened(url):
            yield opened


async def _opened(url: str) -> AsyncIterator[OpenDatabase]:
    settings = DatabaseSettings(url=url)
    await upgrade([Target(plugin="notes", settings=settings)])
    db = open_database("notes", settings)
    yield db
    await db.close()


@pytest_asyncio.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A Redis with nothing in it."""
    client: Redis = Redis.from_url(redis_url)
    await client.flushall()
    yield client
    await client.aclose()
