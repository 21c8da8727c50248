"""One site with two server processes for all tests of faults; those that kill processes start their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from kernel.testing.servers import PostgresServer, valkey
from tests.faults.backstage import Backstage, backstage
from tests.faults.shop import Shop, opened
from tests.faults.site import People, Server, Site, make_site, socket_of


@pytest.fixture(scope="session")
def stage() -> Iterator[Backstage]:
    """A mail server, and a Valkey behind a proxy."""
    with valkey() as url, backstage(socket_of(url)) as stage:
        yield stage


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, stage: Backstage) -> Site:
    """A deployment with all plugins."""
    return make_site(tmp_path_factory.mktemp("site"), postgres_server, stage)


@pytest.fixture(scope="session")
def servers(site: Site) -> Iterator[list[Server]]:
    """Its two processes."""
    with site.starting("one") as one, site.starting("two") as two:
        for server in (one, two):
            server.process.wait_for()
        yield [one, two]


@pytest.fixture(scope="session")
def people(site: Site, servers: list[Server]) -> People:
    """Whoever calls them."""
    return asyncio.run(People.of(site))


@pytest.fixture(params=[1, 2], ids=["one process", "two processes"])
def ports(request: pytest.FixtureRequest, servers: list[Server]) -> list[int]:
    """The ports to race at: of one process, and of both."""
    return [server.port for server in servers[: request.param]]


@pytest_asyncio.fixture
async def shop(site: Site, people: People, servers: list[Server]) -> AsyncIterator[Shop]:
    """Courses and money there."""
    async with opened(site, people, servers[0]) as shop:
        yield shop
