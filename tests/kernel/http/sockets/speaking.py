"""Sockets that answer with what they hear, and clients that say what they like."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from kernel import PUBLIC, Connection, Request, Socket, socket
from tests.kernel.http.serving import MOUNT, serving

PATH = f"{MOUNT}/talk"


class Echo:
    """Sends back what it receives; `break` breaks it, `wait` keeps it busy."""

    def __init__(self, connection: Connection, stage: Stage) -> None:
        self.connection = connection
        self._stage = stage

    async def received(self, text: bytes) -> None:
        self._stage.heard.append(text)
        self._stage.hearing.set()
        if text == b"break":
            raise ZeroDivisionError("secret value 4711")
        if text == b"wait":
            await self._stage.going_on.wait()
        self.connection.send(text)

    def closed(self, code: int) -> None:
        self._stage.closed.append(code)
        self._stage.told.set()
        if b"bad end" in self._stage.heard:
            raise ZeroDivisionError("it ends badly")


@dataclass
class Stage:
    """What happened to the sockets of a test."""

    heard: list[bytes] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    going_on: asyncio.Event = field(default_factory=asyncio.Event)
    hearing: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def socket(self, permission: str = PUBLIC, **limits: Any) -> Socket:
        async def open_it(request: Request, connection: Connection) -> Echo:
            self.connections.append(connection)
            return Echo(connection, self)

        return socket("/talk", open_it, permission=permission, **limits)

    async def end(self) -> int:
        """Return with which code the listener was told of the end, once it was."""
        async with asyncio.timeout(10):
            await self.told.wait()
        return self.closed[0]


@asynccontextmanager
async def talking(
    stage: Stage, *, headers: Mapping[str, str] | None = None, limits: Mapping[str, Any] | None = None, **served: Any
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Serve the socket of *stage*, and give one connection to it."""
    async with (
        serving(sockets=[stage.socket(**(limits or {}))], **served) as client,
        client.ws_connect(PATH, headers=headers) as ws,
    ):
        yield ws


async def ended(ws: aiohttp.ClientWebSocketResponse[Any]) -> int | None:
    """Return the code with which the server ends *ws*, past all messages."""
    async with asyncio.timeout(10):
        while (message := await ws.receive()).type not in (
            aiohttp.WSMsgType.CLOSE,
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.CLOSING,
        ):
            pass
    return ws.close_code if message.type is not aiohttp.WSMsgType.CLOSE else int(message.data)


class Raw:
    """A client that writes bytes as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def code(self) -> int:
        """Return the code of the close frame that comes next, past all other frames."""
        async with asyncio.timeout(10):
            while True:
                first, size = await self.reader.readexactly(2)
                if size == 126:
                    size = int.from_bytes(await self.reader.readexactly(2), "big")
                elif size == 127:
                    size = int.from_bytes(await self.reader.readexactly(8), "big")
                payload = await self.reader.readexactly(size)
                if first == 0x88:
                    return int.from_bytes(payload[:2], "big")


def handshake(host: str = "x", **headers: str) -> bytes:
    """Return a good handshake, with *headers* beside or in place of its own."""
    lines = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return "\r\n".join([f"GET {PATH} HTTP/1.1", *(f"{k}: {v}" for k, v in lines.items()), "", ""]).encode()


@asynccontextmanager
async def raw(client: aiohttp.ClientSession, behind: bytes = b"") -> AsyncIterator[Raw]:
    """Give a connection of its own to the socket, whose handshake had *behind* in the same packet."""
    url = client._base_url or URL()
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(handshake() + behind)
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


def masked(first: int, payload: bytes, key: bytes = b"abcd") -> bytes:
    """Return a frame as a client sends it, its first byte as given."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((first, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + key + bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))
