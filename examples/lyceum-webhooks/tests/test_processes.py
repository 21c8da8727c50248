"""Any number of processes send, and each of them may die."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from aiohttp import web
from house import House
from lyceum_webhooks.endpoints import Endpoints
from lyceum_webhooks.queue import Queue
from receiving import Receiver, Request, verified
from structlog.testing import capture_logs

from kernel import new_id
from kernel.config import load
from kernel.lifecycle import Platform
from kernel.testing.clock import MovableClock
from kernel.testing.servers import PostgresServer

CONFIG: Final = """
[server]
development = true  # or failpoints are refused
secret = "env:LYCEUM_TEST_SECRET"
port = 0

[database]
url = "{database}"
{redis}
[plugins]
enabled = ["webhooks", "auth", "mail", "users"]

[plugins.webhooks]
poll = 0.05
allow_networks = ["127.0.0.0/8"]
"""
SECRET: Final = {"LYCEUM_TEST_SECRET": "long-enough-and-only-for-tests-of-lyceum"}
#: By which a claim has ended, and whatever was tried is due again.
LONG_ENOUGH: Final = 120.0  # seconds


@pytest.mark.postgresql_only
async def test_each_delivery_is_sent_once_however_many_processes_send(house: House) -> None:
    """None is left out either."""

    async def slowly(request: Request) -> web.StreamResponse:
        await asyncio.sleep(0.01)
        return web.Response()

    house.receiver.answer = slowly
    twins = [await house.deployment.twin() for _ in range(2)]
    endpoint, _ = await house.add()

    await asyncio.gather(*(house.sell(*range(start, start + 30)) for start in range(0, 90, 30)))
    await house.receiver.got(90)
    await house.until(endpoint, "delivered")
    await asyncio.sleep(0.3)

    assert Counter(Counter(request.id for request in house.receiver.requests).values()) == {1: 90}
    states = Counter(found["state"] for found in await house.deliveries(endpoint))
    assert states == {"delivered": 90}
    for twin in twins:
        await twin.stop()


@pytest.mark.postgresql_only
async def test_endpoint_is_given_up_once_however_many_processes_find_it_gone(house: House) -> None:
    """They do not wait for each other, and nothing is left waiting."""
    twin = await house.deployment.twin()
    watcher, _ = await house.add("webhooks.*", url=f"{house.receiver.url}/watcher")
    endpoint, _ = await house.add("shop.*")

    async def gone(request: Request) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return web.Response(status=204 if request.path.endswith("watcher") else 410)

    house.receiver.answer = gone
    with capture_logs() as logs:
        await house.sell(*range(40))
        await house.until(watcher, "delivered")
        await asyncio.sleep(0.5)

    assert Counter(found["state"] for found in await house.deliveries(endpoint)) == {"held": 40}
    assert [found["type"] for found in await house.deliveries(watcher)] == ["webhooks.endpoint_disabled.v1"]
    assert [log for log in logs if log["log_level"] == "error"] == []
    await twin.stop()


async def test_process_that_stops_and_starts_sends_what_waited(house: House) -> None:
    """Nothing is forgotten by a restart."""
    house.receiver.answers(500, 200)
    endpoint, _ = await house.add()
    await house.sell()
    await house.until(endpoint, "waiting")

    twin = await house.deployment.twin()
    house.deployment.clock.advance(10)
    await house.receiver.got(2)
    await house.until(endpoint, "delivered")
    await twin.stop()

    assert len({request.id for request in house.receiver.requests}) == 1


@pytest_asyncio.fixture
async def config(end: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Path]:
    """The configuration of a deployment of real processes."""
    async with AsyncExitStack() as stack:
        database, redis = f"sqlite:///{tmp_path}/data", ""
        if end == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            database = await stack.enter_async_context(server.fresh_database())
            redis = f'\n[redis]\nurl = "{request.getfixturevalue("redis_url")}?db=7"\n'
        file = tmp_path / "lyceum.toml"
        file.write_text(CONFIG.format(database=database, redis=redis), encoding="utf-8")
        yield file


async def test_delivery_of_a_process_that_was_killed_is_sent_by_another(config: Path, receiver: Receiver) -> None:
    """The receiver gets it twice, under one id: who died did not say whether it had arrived."""
    secret = await prepare(config, receiver)

    killed = await asyncio.to_thread(serve_until_it_dies, config)

    assert killed == -signal.SIGKILL
    assert len(receiver.requests) == 1
    clock = MovableClock()
    clock.advance(LONG_ENOUGH)
    platform = Platform.boot(load([config], SECRET), clock=clock)
    async with platform.running():
        first, second = await receiver.got(2)
        await asyncio.sleep(0.3)
    assert len(receiver.requests) == 2
    assert (first.id, first.body) == (second.id, second.body)
    assert verified(first, secret)
    assert verified(second, secret)


async def prepare(config: Path, receiver: Receiver) -> str:
    """Have one delivery wait; return the secret that signs it."""
    platform = Platform.boot(load([config], SECRET))
    await platform.migrate()
    async with platform.running(background=False):
        ctx = platform.context("webhooks")
        async with ctx.db.transaction() as session:
            endpoint, secret = await ctx.own(Endpoints).add(session, receiver.url, "", ("*",))
            await ctx.own(Queue).add(
                session,
                [endpoint.id],
                event_id=new_id(),
                kind="shop.sold.v1",
                time=ctx.clock.now(),
                data=b'{"number":1}',
            )
    return secret


def serve_until_it_dies(config: Path) -> int:
    """Run a process that is killed when the receiver has answered; return its exit code."""
    variables = {**os.environ, **SECRET, "LYCEUM_FAILPOINTS": "webhooks.sent=kill"}
    command = [sys.executable, "-c", "from kernel.cli import main; main()", "--config", str(config), "serve"]
    log = config.with_name("output.log")
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=config.parent, env=variables, stdout=output, stderr=output)
    try:
        return process.wait(60)
    finally:
        process.kill()
