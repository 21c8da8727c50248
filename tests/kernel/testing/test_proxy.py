"""The proxy that makes the network bad."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from kernel.testing.proxy import Proxy, proxying

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say again what was said."""
    try:
        while piece := await reader.read(1000):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy before an echo."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, proxying(("127.0.0.1", server.sockets[0].getsockname()[1])) as proxy:
        yield proxy


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Streams]:
    """Connect through *proxy*."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def said(streams: Streams, text: bytes = b"hello") -> float:
    """Return after how many seconds *text* came back."""
    began = time.monotonic()
    streams[1].write(text)
    assert await asyncio.wait_for(streams[0].readexactly(len(text)), 5) == text
    return time.monotonic() - began


async def test_proxy_passes_everything(proxy: Proxy) -> None:
    """As long as it is told nothing else, and of many connections at once."""
    async with connected(proxy) as one, connected(proxy) as other:
        await asyncio.gather(said(one, b"a" * 300_000), said(other, b"b" * 300_000))

        assert len(proxy) == 2


async def test_proxy_stands_before_a_unix_socket(tmp_path: Path) -> None:
    """Where the servers for tests listen."""
    server = await asyncio.start_unix_server(echo, tmp_path / "socket")
    async with server, proxying(str(tmp_path / "socket")) as proxy, connected(proxy) as streams:
        await said(streams)


async def test_end_of_one_side_reaches_the_other(proxy: Proxy) -> None:
    """A client that has said all still gets its answer."""
    async with connected(proxy) as (reader, writer):
        writer.write(b"last words")
        writer.write_eof()

        assert await asyncio.wait_for(reader.read(), 5) == b"last words"


async def test_latency_is_added_either_way(proxy: Proxy) -> None:
    """And taken away again, while the connection lasts."""
    async with connected(proxy) as streams:
        proxy.latency = 0.1
        slow = await said(streams)
        proxy.latency = 0.0
        quick = await said(streams)

    assert slow >= 0.2
    assert quick < 0.2


async def test_bandwidth_makes_it_narrow(proxy: Proxy) -> None:
    """In bytes a second."""
    proxy.bandwidth = 100_000
    async with connected(proxy) as streams:
        assert await said(streams, b"a" * 20_000) >= 0.2


async def test_silence_keeps_back_and_loses_nothing(proxy: Proxy) -> None:
    """The connection stays; what was sent meanwhile arrives when it is over."""
    async with connected(proxy) as (reader, writer):
        proxy.silent()
        writer.write(b"is anybody there")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        proxy.passing()

        assert await asyncio.wait_for(reader.readexactly(16), 5) == b"is anybody there"


async def test_reset_breaks_what_is_open_and_no_more(proxy: Proxy) -> None:
    """Who is connected gets a RST; who comes later is served."""
    async with connected(proxy) as streams, connected(proxy) as later:
        await said(streams)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(streams[0].read(), 5)
        later[1].close()
    async with connected(proxy) as again:
        await said(again)


async def test_refusal_is_for_those_who_come(proxy: Proxy) -> None:
    """Who is connected already stays."""
    async with connected(proxy) as streams:
        await said(streams)
        proxy.refusing = True
        async with connected(proxy) as (reader, _):
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(), 5)
        await said(streams)


async def test_target_that_is_away_is_a_reset(tmp_path: Path) -> None:
    """Nobody listens behind."""
    async with proxying(str(tmp_path / "nothing")) as proxy, connected(proxy) as (reader, _):
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)


async def test_cut_comes_in_the_middle_of_an_answer(proxy: Proxy) -> None:
    """After exactly so many bytes of it."""
    proxy.cut_after = 7
    async with connected(proxy) as (reader, writer):
        writer.write(b"half an answer")

        assert await asyncio.wait_for(reader.read(), 5) == b"half an"
