from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kernel.testing.servers import PostgresServer, valkey
from tests.kernel.events.house import End, House, make_databases


@pytest.fixture(scope="session")
def templates() -> dict[End, str]:
    """The migrated databases that are copied for each test, made by the first that needs them."""
    return {}


@pytest.fixture
def valkey_url() -> Iterator[str]:
    """A Valkey that the test may flush and kill."""
    with valkey() as url:
        yield url


@pytest.fixture
async def house(
    end: End,
    templates: dict[End, str],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> AsyncIterator[House]:
    """SQLite with events in process, or PostgreSQL with Redis streams."""
    async with AsyncExitStack() as stack:
        if end == "sqlite":
            if end not in templates:
                templates[end] = str(tmp_path_factory.mktemp("events"))
                await make_databases(f"sqlite:///{templates[end]}")
            shutil.copytree(templates[end], tmp_path, dirs_exist_ok=True)
            yield House(end, f"sqlite:///{tmp_path}", None, stack)
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            if end not in templates:
                templates[end] = await server.create_database()
                await make_databases(server.url(templates[end]))
            url = await stack.enter_async_context(server.fresh_database(templates[end]))
            yield House(end, url, request.getfixturevalue("valkey_url"), stack)
