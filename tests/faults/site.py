"""A site: a deployment of real server processes, which tests race, kill and restart."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from kernel import new_id
from kernel.config import load
from kernel.failpoints import VARIABLE
from kernel.lifecycle import Platform
from kernel.testing.clients import Client
from kernel.testing.clock import MovableClock
from kernel.testing.servers import SUPERUSER, PostgresServer
from plugins.auth.keys import TOKEN_LIFE, KeyRing
from plugins.auth.tokens import AccessTokens
from tests.faults.backstage import Backstage
from tests.kernel.cli.processes import Lyceum, running

#: Limits that belong to no test are out of the way; what the processes do by themselves, they do at once.
CONFIG: Final = """
[server]
public_url = "http://localhost:8080"
development = true  # or failpoints are refused
secret = "env:LYCEUM_TEST_SECRET"

[log]
format = "json"

[database]
url = "env:LYCEUM_TEST_DATABASE"

[redis]
url = "env:LYCEUM_TEST_REDIS"

[events]
poll = 0.2
look = 0.5
first_delay = 0.2

[http]
unsafe_rate = "1000000/minute"
connections_per_address = 4000
keepalive_seconds = 600

[plugins]
disabled = ["demo"]

[plugins.auth]
code_requests = "1000000/minute"
sign_ins = "1000000/minute"
refreshes = "20/3 second"  # few and short, for the test of limits

[plugins.chat]
messages_per_person = "1000000/minute"
messages_per_room = "1000000/minute"

[plugins.enrollments]
sweep_every = 0.5
stuck_after = 2

[plugins.payments]
redeem_per_person = ["1000000/minute"]
redeem_per_address = ["1000000/minute"]

[plugins.mail]
delivery = "smtp"
host = "127.0.0.1"
port = {smtp_port}
tls = "none"
"""
SECRET: Final = {"LYCEUM_TEST_SECRET": "long-enough-and-only-for-tests-of-lyceum"}


@dataclass(frozen=True)
class Server:
    """One process of a site."""

    process: Lyceum

    @property
    def port(self) -> int:
        return self.process.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.stop(signal.SIGKILL)

    async def died(self) -> None:
        """Return when a failpoint has killed it."""
        async with asyncio.timeout(15):
            while self.process.process.poll() is None:  # noqa: ASYNC110  # a process sets no Event of ours
                await asyncio.sleep(0.01)
        assert self.process.process.returncode == -signal.SIGKILL, self.process.output()


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where the processes of one deployment find each other, and how tests look into it."""

    folder: Path
    postgres: PostgresServer
    database: str  #: its name
    redis: str  #: the URL
    smtp_port: int

    def prepare(self) -> None:
        """Write the configuration and make the tables."""
        self.config.write_text(CONFIG.format(smtp_port=self.smtp_port), encoding="utf-8")
        asyncio.run(self._platform().migrate())

    @property
    def config(self) -> Path:
        return self.folder / "lyceum.toml"

    @contextmanager
    def serving(self, name: str, *, failpoints: str = "") -> Iterator[Server]:
        """Run `lyceum serve`; its log is in the folder *name*."""
        with self.starting(name, failpoints=failpoints) as server:
            server.process.wait_for()
            yield server

    @contextmanager
    def starting(
        self, name: str, *, failpoints: str = "", settings: Mapping[str, str] | None = None
    ) -> Iterator[Server]:
        """Do as `serving`, without waiting until it is ready; *settings* are further variables of its environment."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        environ = {**self._environ, **(settings or {}), **({VARIABLE: failpoints} if failpoints else {})}
        with running(folder, ["--config", str(self.config), "serve"], environ) as process:
            yield Server(process)

    @asynccontextmanager
    async def serving_soon(self, name: str, *, failpoints: str = "") -> AsyncIterator[Server]:
        """Do as `serving`, while the test's loop goes on."""
        with self.starting(name, failpoints=failpoints) as server:
            await asyncio.to_thread(server.process.wait_for)
            yield server

    @asynccontextmanager
    async def inside(self) -> AsyncIterator[Platform]:
        """Give the platform within the test's process: its databases and services, and nothing runs by itself."""
        platform = self._platform()
        async with platform.running(background=False):
            yield platform

    async def as_superuser(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return what *query* says to who may see everything."""
        connection = await asyncpg.connect(self.postgres.url(self.database, SUPERUSER))
        try:
            return [tuple(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    async def end_connections(self) -> int:
        """End every connection of the plugins to PostgreSQL, whatever it does just now; return how many there were."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename <> $2"
        return len(await self.as_superuser(query, self.database, SUPERUSER))

    def output(self) -> str:
        """Return what all processes have logged."""
        return "".join(log.read_text(encoding="utf-8") for log in sorted(self.folder.glob("*/output.log")))

    def _platform(self) -> Platform:
        return Platform.boot(load([self.config], self._environ))

    @property
    def _environ(self) -> Mapping[str, str]:
        url = self.postgres.url(self.database)
        return {**SECRET, "LYCEUM_TEST_DATABASE": url, "LYCEUM_TEST_REDIS": self.redis}


class People:
    """Gives out access tokens of a site, as its `auth` does, without a sign-in for each."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    @classmethod
    async def of(cls, site: Site) -> People:
        async with site.inside() as platform:
            ctx = platform.context("auth")
            await ctx.own(KeyRing).load()
            return cls(ctx.own(AccessTokens))

    async def token(self, *roles: str, user: UUID | None = None) -> str:
        """Return a token of *user*, or of somebody new, who has *roles*, or those of a student."""
        return await self._tokens.issue(user or new_id(), new_id(), roles or ("student",))

    async def expiring(self, seconds: float, user: UUID) -> str:
        """Return a token of the student *user* that is over in so many seconds, as one that was issued long ago."""
        before = MovableClock()
        before.advance(seconds - TOKEN_LIFE.total_seconds())
        early = copy(self._tokens)
        early._clock = before
        return await early.issue(user, new_id(), ("student",))

    async def tokens(self, count: int) -> list[str]:
        """Return the tokens of so many new students."""
        return [await self.token() for _ in range(count)]

    @asynccontextmanager
    async def client(self, server: Server, *roles: str) -> AsyncIterator[Client]:
        """Give a client of somebody new, who has *roles*, or those of a student."""
        user = new_id()
        client = Client(server.url, token=await self.token(*roles, user=user), user=user)
        try:
            yield client
        finally:
            await client.close()


def make_site(folder: Path, postgres: PostgresServer, stage: Backstage, *, redis: int = 0) -> Site:
    """Return a new site with all plugins, ready to be served; *redis* is the number of its Redis database."""
    database = asyncio.run(postgres.create_database())
    url = f"redis://127.0.0.1:{stage.redis_port}/{redis}"
    site = Site(folder=folder, postgres=postgres, database=database, redis=url, smtp_port=stage.smtp_port)
    site.prepare()
    return site


def socket_of(redis_url: str) -> str:
    """Return the path of the unix socket in the URL of a Valkey for tests."""
    return urlsplit(redis_url).path
