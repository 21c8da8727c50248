"""Broadcasts reach every process that runs, at most once."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from tests.kernel.events.house import House, until


async def test_broadcast_reaches_every_listener_of_its_topic(house: House) -> None:
    """Whichever plugin told it, and no listener of another topic."""
    process = await house.process()
    heard: list[bytes] = []
    process.events["ledger"].on_broadcast("prices", heard.append)
    process.events["ledger"].on_broadcast("weather", lambda message: heard.append(b"rain"))

    async def was_heard() -> bool:
        await process.events["shop"].broadcast("prices", b"up")
        await asyncio.sleep(0.05)
        return bool(heard)

    await until(was_heard)

    assert set(heard) == {b"up"}


async def test_listener_that_fails_does_not_silence_the_others(house: House) -> None:
    """Its failure is logged."""
    process = await house.process()
    heard: list[bytes] = []

    def fail(message: bytes) -> None:
        raise RuntimeError("deaf")

    process.events["shop"].on_broadcast("prices", fail)
    process.events["shop"].on_broadcast("prices", heard.append)

    async def was_heard() -> bool:
        await process.events["shop"].broadcast("prices", b"up")
        await asyncio.sleep(0.05)
        return bool(heard)

    with capture_logs() as logs:
        await until(was_heard)

    assert {log.get("action") for log in logs} == {"broadcast.failed"}


@pytest.mark.postgresql_only
async def test_broadcast_reaches_other_processes(house: House) -> None:
    """Through Redis."""
    one, two = await house.process(), await house.process()
    heard: list[bytes] = []
    two.events["ledger"].on_broadcast("prices", heard.append)

    async def was_heard() -> bool:
        await one.events["shop"].broadcast("prices", b"up")
        await asyncio.sleep(0.05)
        return bool(heard)

    await until(was_heard)


@pytest.mark.postgresql_only
async def test_broadcast_is_heard_in_its_own_process_while_redis_is_dead(house: House) -> None:
    """What may be lost is lost for the others only."""
    process = await house.process()
    heard: list[bytes] = []
    process.events["shop"].on_broadcast("prices", heard.append)
    async with Redis.from_url(str(house.redis_url)) as redis:
        os.kill((await redis.info("server"))["process_id"], signal.SIGKILL)

    await process.events["shop"].broadcast("prices", b"up")

    assert heard == [b"up"]
