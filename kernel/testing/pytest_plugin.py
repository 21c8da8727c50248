"""Fixtures for the tests of plugins: `deploy` and what it stands on.

    async def test_hello(deploy: Deploy) -> None:
        deployment = await deploy("courses", plugins=[MyPlugin])
        client = deployment.client(role="student")

        assert await client.call("GET", "/api/v1/mine") == {"hello": "world"}

A test that takes `deploy` or `end` runs twice: on SQLite with nothing installed, and on PostgreSQL with Redis Streams.
Mark it `postgresql_only` or `sqlite_only` where one of the two has no say in it.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from kernel.testing.deploying import Deploy
    from kernel.testing.ends import EndName, Templates
    from kernel.testing.failing import Failing
    from kernel.testing.mailbox import Mailbox
    from kernel.testing.servers import PostgresServer

ENDS: Final = ("sqlite", "postgresql")


def pytest_configure(config: pytest.Config) -> None:
    from kernel.testing.printing import print_logs

    print_logs()
    for end in ENDS:
        config.addinivalue_line("markers", f"{end}_only: run the test on this end only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "end" in metafunc.fixturenames:
        only = [end for end in ENDS if metafunc.definition.get_closest_marker(f"{end}_only")]
        metafunc.parametrize("end", only or ENDS)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL for the whole session, started when the first test asks for it."""
    from kernel.testing.servers import postgres

    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A server that speaks the Redis protocol, for the whole session."""
    from kernel.testing.servers import valkey

    with valkey() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where SQLite files lie: in memory where that is possible."""
    from kernel.testing.memory import folder_in_memory

    folder = folder_in_memory() or tmp_path_factory.mktemp("sqlite")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database_templates() -> dict[EndName, Templates]:
    """The migrated databases that are copied for each test."""
    return {"sqlite": {}, "postgresql": {}}


@pytest_asyncio.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """A real SMTP server; `deploy` points the plugin `mail` to it."""
    from kernel.testing.mailbox import receiving

    async with receiving() as mailbox:
        yield mailbox


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Arms failpoints: `failing.arm("earlybird.ledger.CHARGED", "raise|once")`."""
    from kernel.testing.failing import Failing

    return Failing(monkeypatch)


@pytest_asyncio.fixture
async def deploy(
    end: EndName,
    mailbox: Mailbox,
    database_templates: dict[EndName, Templates],
    sqlite_folder: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Deploy]:
    """Return what starts deployments; they end with the test."""
    from kernel.testing import deploying, ends

    templates = database_templates[end]
    where: ends.End
    if end == "sqlite":
        where = ends.SqliteEnd(sqlite_folder, templates)
    else:
        server, redis = request.getfixturevalue("postgres_server"), request.getfixturevalue("redis_url")
        where = ends.PostgresEnd(server, redis, templates)
    async with deploying.Deploy(where, mailbox) as starts:
        yield starts
