from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kernel.testing.servers import PostgresServer, valkey
from tests.kernel.events.house import End, House


@pytest.fixture
def valkey_url() -> Iterator[str]:
    """A Valkey that the test may flush and kill."""
    with valkey() as url:
        yield url


@pytest.fixture
async def house(end: End, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """SQLite with events in process, or PostgreSQL with Redis streams."""
    async with AsyncExitStack() as stack:
        if end == "sqlite":
            yield House(end, f"sqlite:///{tmp_path}", None, stack)
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = await stack.enter_async_context(server.fresh_database())
            yield House(end, url, request.getfixturevalue("valkey_url"), stack)
