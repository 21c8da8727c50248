"""Socket.IO by hand, for what its client would not do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from kernel.testing.clients import Client

PATH = "/api/v1/socketio/?EIO=4&transport=websocket"

Talk = aiohttp.ClientWebSocketResponse[Any]


@asynccontextmanager
async def opened(client: Client, **options: Any) -> AsyncIterator[Talk]:
    """Give a connection on which nothing was sent yet."""
    async with client.ws(PATH, **options) as ws:
        assert '"sid":' in str(await ws.receive_str())
        yield ws


@asynccontextmanager
async def connected(client: Client) -> AsyncIterator[Talk]:
    """Give a connection of *client*, who said so by the handshake."""
    async with opened(client) as ws:
        await ws.send_str("40")
        assert (await ws.receive_str()).startswith('40{"sid":')
        yield ws


async def refusal(ws: Talk, auth: object) -> dict[str, Any]:
    """Connect with *auth*; return the problem with which that is refused."""
    await ws.send_str(f"40{json.dumps(auth)}")
    told = await ws.receive_str()
    assert told.startswith("44"), told
    problem: dict[str, Any] = json.loads(told[2:])["data"]
    return problem
