"""A TCP proxy that makes the network bad: slow, narrow, silent or broken, switched while it runs.

    async with proxying(database) as proxy:
        proxy.latency = 0.1
        ...
        proxy.silent()  # whatever is sent waits
        ...
        proxy.passing()  # and arrives now

It stands before a port or a unix socket, such as those of `kernel.testing.servers`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from kernel.http.serving import reset

CHUNK: Final = 64 * 1024  # bytes read at once

#: What stands behind: host and port, or the path of a unix socket.
Target = tuple[str, int] | str


class Proxy:
    """One listening port and the connections through it."""

    def __init__(self, target: Target) -> None:
        self.latency = 0.0  #: seconds that each piece takes, either way
        self.bandwidth: int | None = None  #: bytes a second, either way, of each connection
        self.cut_after: int | None = None  #: bytes of answers after which a connection is cut, counted for each
        self.refusing = False  #: new connections are reset at once
        self.port = 0
        self.target = target  #: what stands behind; new connections go there
        self._open: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._passing.set()

    def __len__(self) -> int:
        """Return how many connections there are, each with a client's and a target's side."""
        return len(self._open) // 2

    def silent(self) -> None:
        """Keep back whatever is sent: connections stay, and nobody hears anything (a blackhole)."""
        self._passing.clear()

    def passing(self) -> None:
        """Let pass again, first of all what was kept back."""
        self._passing.set()

    def reset(self) -> None:
        """Break every connection, as a machine does that has forgotten it: both sides get a RST."""
        for writer in tuple(self._open):
            reset(writer.transport)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client; asyncio calls this."""
        try:
            if self.refusing:
                return reset(writer.transport)
            behind, ahead = await self._connect()
        except OSError:
            return reset(writer.transport)
        self._open |= {writer, ahead}
        try:
            await asyncio.gather(self._pump(reader, ahead, None), self._pump(behind, writer, self.cut_after))
        finally:
            for one in (writer, ahead):
                self._open.discard(one)
                one.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, str):
            return await asyncio.open_unix_connection(self.target)
        return await asyncio.open_connection(*self.target)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(CHUNK):
                await self._hold(piece)
                writer.write(piece[:left])
                await writer.drain()
                if left is not None and (left := left - len(piece)) <= 0:
                    writer.close()
                    return
            if writer.can_write_eof():
                writer.write_eof()

    async def _hold(self, piece: bytes) -> None:
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.bandwidth:
            await asyncio.sleep(len(piece) / self.bandwidth)
        await self._passing.wait()


@asynccontextmanager
async def proxying(target: Target) -> AsyncIterator[Proxy]:
    """Run a proxy before *target* on a free port of this machine while the block runs."""
    proxy, serving = Proxy(target), set[asyncio.Task[None]]()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await proxy.accept(reader, writer)
        finally:
            serving.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in tuple(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
