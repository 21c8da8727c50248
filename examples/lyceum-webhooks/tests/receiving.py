"""A receiver of webhooks as an institution would write one: a real HTTP server that verifies what it gets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

PATIENCE: Final = 15.0  # seconds


@dataclass(frozen=True)
class Request:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def signatures(self) -> list[str]:
        return self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """Remembers what it got, and answers as *answer* says."""

    requests: list[Request] = field(default_factory=list)
    port: int = 0
    answer: Callable[[Request], Awaitable[web.StreamResponse]] | None = None
    current: web.Request | None = None  #: for an answer that is written piece by piece

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def answers(self, *statuses: int, **options: Any) -> None:
        """Answer with *statuses* one after another, and with the last of them ever after."""
        left = list(statuses)

        async def answer(request: Request) -> web.StreamResponse:
            return web.Response(status=left.pop(0) if len(left) > 1 else left[0], **options)

        self.answer = answer

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.current = request
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Request(request.path_qs, headers, await request.read()))
        return await self.answer(self.requests[-1]) if self.answer else web.Response(status=204)

    async def got(self, number: int) -> list[Request]:
        """Return what arrived as soon as it is at least so many requests."""
        async with asyncio.timeout(PATIENCE):
            while len(self.requests) < number:  # noqa: ASYNC110  # another process sends
                await asyncio.sleep(0.01)
        return self.requests


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Run a receiver while the block runs, with *tls* an encrypted one."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        await runner.cleanup()


def verified(request: Request, secret: str) -> bool:
    """Return whether *request* is signed by *secret*, as the specification has receivers find out."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = request.id.encode() + b"." + request.headers["webhook-timestamp"].encode() + b"." + request.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    pairs = [signature.partition(",") for signature in request.signatures]
    return any(version == "v1" and hmac.compare_digest(value, expected) for version, _, value in pairs)
