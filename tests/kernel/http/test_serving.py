"""The server itself: slow clients, crowds, and what is not HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from kernel import PUBLIC, errors, get
from kernel.http import serving as under_test
from kernel.http.settings import HttpSettings
from tests.kernel.http.serving import MOUNT, serving


async def fine() -> str:
    return "fine"


async def much() -> str:
    return "much " * 20_000


ROUTES = [get("", fine, permission=PUBLIC), get("/much", much, permission=PUBLIC)]


@asynccontextmanager
async def connected(client: aiohttp.ClientSession) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a bare connection to where *client* goes."""
    async with client.get(MOUNT) as response:
        port = response.url.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n",
    ],
)
async def test_what_is_not_http_is_a_problem_and_no_error_of_ours(raw: bytes) -> None:
    """A request that can not be read is refused and its connection closed; the log stays quiet."""
    with capture_logs() as logs:
        async with serving(ROUTES) as client, connected(client) as (reader, writer):
            writer.write(raw)
            head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")

    assert head.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
    assert b"application/problem+json" in head
    assert json.loads(body)["type"] == "/problems/bad-request"
    assert [line for line in logs if line["log_level"] != "info"] == []


@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nHost:"])
async def test_client_that_sends_no_whole_request_is_let_go(beginning: bytes) -> None:
    """Neither silence nor half a header holds a connection for longer than the keep-alive time."""
    settings = HttpSettings(keepalive_seconds=0.3)
    async with serving(ROUTES, settings=settings) as client, connected(client) as (reader, writer):
        writer.write(beginning)

        assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_client_that_drips_its_headers_is_let_go() -> None:
    """A byte now and then does not prolong the time."""
    settings = HttpSettings(keepalive_seconds=0.5)
    async with serving(ROUTES, settings=settings) as client, connected(client) as (reader, writer):
        ended = asyncio.ensure_future(reader.read())
        for byte in b"GET /api HTTP/1.1\r\nX-Long-Header: " + b"a" * 1000:
            writer.write(bytes([byte]))
            if ended in (await asyncio.wait([ended], timeout=0.05))[0]:
                break

        assert ended.done()


@pytest.mark.parametrize(("pause", "whole"), [(0.1, True), (1.5, False)])
async def test_client_that_does_not_read_its_answers_is_let_go(pause: float, whole: bool) -> None:
    """What it asked for lies in memory only for so long; a client that reads on in time gets everything."""
    settings, asked = HttpSettings(sending_seconds=0.5), 200
    async with serving(ROUTES, settings=settings) as client, connected(client) as (reader, writer):
        writer.write(f"GET {MOUNT}/much HTTP/1.1\r\nHost: a\r\n\r\n".encode() * asked)
        writer.write(f"GET {MOUNT} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        await asyncio.sleep(pause)
        read = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := await asyncio.wait_for(reader.read(2**20), 5):
                read += piece

    assert (read.count(b"HTTP/1.1 200 ") == asked + 1) is whole


async def test_crowd_from_one_address_is_limited() -> None:
    """Connections over the limit of one address are closed at once, those within it go on."""
    settings = HttpSettings(connections_per_address=3)
    async with serving(ROUTES, settings=settings) as client:
        async with connected(client) as _, connected(client) as (reader, writer), connected(client) as (late, _):
            assert await asyncio.wait_for(late.read(), 5) == b""
            writer.write(f"GET {MOUNT} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            assert b" 200 " in await asyncio.wait_for(reader.read(), 5)
        assert (await client.get(MOUNT)).status == 200


async def test_crowd_behind_a_trusted_proxy_is_not_limited() -> None:
    """A proxy's connections are those of many people."""
    settings = HttpSettings(connections_per_address=1, trusted_proxies=("127.0.0.0/8",))
    async with serving(ROUTES, settings=settings) as client:
        answers = await asyncio.gather(*(client.get(MOUNT) for _ in range(10)))

        assert {response.status for response in answers} == {200}


async def test_parser_must_be_the_compiled_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without aiohttp's C parser nothing is served: it is the one that is hardened."""

    class Slow:
        """A parser of another module."""

    monkeypatch.setattr(under_test, "HttpRequestParser", Slow)
    with pytest.raises(errors.StartFailed, match="aiohttp runs without its compiled HTTP parser; install a wheel"):
        under_test.runner(web.Application(), HttpSettings())


def test_proxies_must_be_networks() -> None:
    """A mistyped network is refused when the configuration is read."""
    with pytest.raises(ValueError, match=r"trusted_proxies: 'proxy' is not a network; write it as '10\.0\.0\.0/8'"):
        HttpSettings(trusted_proxies=("proxy",))


@pytest.mark.parametrize(
    ("request_line", "header", "connection", "stays"),
    [
        ("HTTP/1.0", "", None, False),
        ("HTTP/1.0", "Connection: keep-alive\r\n", "keep-alive", True),
        ("HTTP/1.1", "", None, True),
        ("HTTP/1.1", "Connection: close\r\n", "close", False),
    ],
)
async def test_answer_keeps_to_what_the_client_said_of_its_connection(
    request_line: str, header: str, connection: str | None, stays: bool
) -> None:
    """The body is whole with its length, and the connection ends when the client wants it to."""
    async with serving(ROUTES) as client, connected(client) as (reader, writer):
        writer.write(f"GET {MOUNT} {request_line}\r\nHost: a\r\n{header}\r\n".encode())
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
        body = await asyncio.wait_for(reader.readexactly(6), 5)
        writer.write(f"GET {MOUNT} {request_line}\r\nHost: a\r\n{header}\r\n".encode())
        more = await asyncio.wait_for(reader.read(len(request_line)), 5)

    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    assert head.startswith(f"{request_line} 200 ")
    assert (headers["Content-Length"], body) == ("6", b'"fine"')
    assert headers.get("Connection") == connection
    assert more == (request_line.encode() if stays else b"")
