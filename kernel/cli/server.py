"""Serving in this process, on a loop of our own."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Final

import uvloop
from aiohttp import web

from kernel import errors
from kernel.http.serving import runner
from kernel.lifecycle import Platform
from kernel.sections import authority

YOUNG_OBJECTS: Final = 20_000  # more of them than were freed set off a collection; Python's own 700 is for scripts


@asynccontextmanager
async def listening(platform: Platform) -> AsyncIterator[int]:
    """Run *platform* and answer requests while the block runs; give the port.

    Raises:
        errors.StartFailed: the address can not be listened on.
    """
    async with platform.running():
        served = runner(platform.app, platform.config.http)
        await served.setup()
        settle_memory()
        try:
            yield await _listen(served, platform.config.server.host, platform.config.server.port)
        finally:
            await served.cleanup()


def settle_memory() -> None:
    """Tell the garbage collector that what a start has made stays, and to look less often for what does not."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


async def serve(platform: Platform, ready: Callable[[int], Awaitable[None]]) -> None:
    """Serve until SIGTERM or SIGINT, then let what runs end; *ready* is told the port once requests may come."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with listening(platform) as port, asyncio.TaskGroup() as group:
        announcing = group.create_task(_announce(ready, port))
        await stop.wait()
        announcing.cancel()


def run(main: Coroutine[object, object, None]) -> None:
    """Run *main* on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(main)


async def _announce(ready: Callable[[int], Awaitable[None]], port: int) -> None:
    await ready(port)


async def _listen(served: web.AppRunner, host: str, port: int) -> int:
    try:
        await web.TCPSite(served, host, port).start()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise errors.StartFailed(
            f"can not listen on {authority(host, port)} ({reason}); stop what uses it, or set [server] host and port"
        ) from error
    return int(served.addresses[0][1])
