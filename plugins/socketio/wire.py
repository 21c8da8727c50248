"""Between a WebSocket of the kernel and the library: ASGI, as the library sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from kernel import CloseCode, Connection

Message = Mapping[str, Any]


class Wire:
    """Carries texts. The library gets the next one when it is done with the one before."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._given: asyncio.Queue[Message] = asyncio.Queue()
        self._given.put_nowait({"type": "websocket.connect"})
        self._done = asyncio.Event()  # with everything that was given
        self._abandoned = False

    async def give(self, text: str) -> None:
        """Give *text* to the library; return when it has done what it does with it."""
        if self._abandoned:
            return
        self._done.clear()
        self._given.put_nowait({"type": "websocket.receive", "text": text})
        await self._done.wait()

    def end(self) -> None:
        """Tell the library that the connection is gone."""
        self._given.put_nowait({"type": "websocket.disconnect"})

    def abandon(self) -> None:
        """End the connection, and keep nobody waiting: the library has gone."""
        self._abandoned = True
        self._done.set()
        self._connection.close(CloseCode.NORMAL)

    # For the library

    async def receive(self) -> Message:
        """Return what comes next."""
        if self._given.empty():
            self._done.set()
        return await self._given.get()

    async def send(self, message: Message) -> None:
        """Send a text, or end the connection."""
        if message["type"] == "websocket.send":
            self._connection.send(message["text"].encode())
        elif message["type"] == "websocket.close":
            self._connection.close(CloseCode.NORMAL)
