"""Slow clients in crowds (A38): each is let go by its deadline, and everybody else is served as before."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import pytest

from tests.faults.racing import Line
from tests.faults.site import Server, Site

CROWD: Final = 500
READERS: Final = 100  # that never read: each has the system keep 2.5 MB for it, until it is let go
ARRIVAL: Final = 0.5  # seconds, after which the crowd has said what it says at once
DEADLINE: Final = 2.0  # seconds, for all that a client may take its time with
GRACE: Final = 5.0  # seconds that a loaded machine may take longer
TRIES: Final = 3  # a busy machine may spoil one; a crowd that troubles others does so each time
DRIP: Final = 0.5  # seconds between two bytes
NORMAL: Final = 200  # requests of somebody who is not slow, for one measurement
#: Milliseconds below which a doubling says more about the machine than about us.
NOISE: Final = 10.0
GET: Final = b"GET /api/v1/courses HTTP/1.1\r\nHost: localhost\r\n\r\n"
BIG: Final = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
BEGUN: Final = (
    b"POST /api/v1/auth/codes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def server(site: Site, servers: list[Server]) -> Iterator[Server]:
    """A process with short deadlines."""
    names = ("KEEPALIVE", "BODY", "SENDING", "LINGERING")
    settings = {f"LYCEUM_HTTP__{name}_SECONDS": str(DEADLINE) for name in names}
    with site.starting("short deadlines", settings=settings) as server:
        server.process.wait_for()
        yield server


async def idle(streams: Streams) -> None:
    """Say nothing at all."""
    await ended(streams)


async def drip_head(streams: Streams) -> None:
    """Send a header, a byte now and then."""
    streams[1].write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    await dripping(streams)


async def drip_body(streams: Streams) -> None:
    """Send a body, a byte now and then."""
    streams[1].write(BEGUN)
    await dripping(streams)


async def never_read(streams: Streams) -> None:
    """Ask for much and read nothing, until it must be over."""
    streams[1].write(BIG * 50)
    await asyncio.sleep(DEADLINE + GRACE / 2)
    await ended(streams)


async def dripping(streams: Streams) -> None:
    over = asyncio.ensure_future(ended(streams))
    while not over.done():
        streams[1].write(b"a")
        await asyncio.wait([over], timeout=DRIP)


async def ended(streams: Streams) -> None:
    """Return when the server has let go."""
    with contextlib.suppress(OSError):
        while await streams[0].read(2**20):
            pass


@pytest.mark.parametrize(
    ("behave", "size"), [(idle, CROWD), (drip_head, CROWD), (drip_body, CROWD), (never_read, READERS)]
)
async def test_crowd_of_slow_clients_is_let_go_and_troubles_nobody(
    server: Server, behave: Callable[[Streams], Awaitable[None]], size: int
) -> None:
    """A38: five hundred that are idle, or drip their header, or their body, or never read."""
    for _ in range(TRIES):
        before = await percentile(server)
        during = await besieged(server, behave, size)
        if during < max(2 * before, NOISE):
            return

    raise AssertionError(f"others were answered within {during:g} ms, and within {before:g} ms without the crowd")


async def besieged(server: Server, behave: Callable[[Streams], Awaitable[None]], size: int) -> float:
    """Return the `percentile` while so many clients *behave* so; each must be let go when its time is over."""
    crowd = [await connected(server.port) for _ in range(size)]
    began = time.monotonic()
    slow = [asyncio.ensure_future(behave(streams)) for streams in crowd]
    await asyncio.sleep(ARRIVAL)
    during = await percentile(server)
    async with asyncio.timeout(DEADLINE + GRACE):
        await asyncio.gather(*slow)
    assert time.monotonic() - began >= DEADLINE * 0.9, "they had the time that is theirs"
    for _, writer in crowd:
        writer.close()
    return during


async def connected(port: int) -> Streams:
    """Open a connection that takes in little."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    return await asyncio.open_connection(sock=connection, limit=4096)


async def percentile(server: Server) -> float:
    """Return the milliseconds within which 95 of 100 ordinary requests are answered."""
    line, took = Line(*await asyncio.open_connection("127.0.0.1", server.port)), []
    for _ in range(NORMAL):
        began = time.perf_counter()
        assert (await line.ask(GET)).status == 200
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.002)
    line.writer.close()
    return statistics.quantiles(took, n=20)[-1]
