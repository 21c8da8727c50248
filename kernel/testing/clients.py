"""HTTP clients for tests: aiohttp's own, with the deployment's address and somebody's token."""

from __future__ import annotations

import json
from typing import Any, Final
from uuid import UUID

import aiohttp
from aiohttp.client import _RequestContextManager, _WSRequestContextManager

PATIENCE: Final = aiohttp.ClientTimeout(total=30)
WS_PATIENCE: Final = aiohttp.ClientWSTimeout(ws_receive=30, ws_close=5)


class Client:
    """One caller of a deployment. Use it as an aiohttp session: `async with client.get("/api/v1/courses") as answer:`.

    `call` is shorter where only the decoded body matters.
    """

    def __init__(self, url: str, *, token: str | None = None, user: UUID | None = None) -> None:
        self.token = token
        self.user = user  #: the id of whoever is signed in
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.session = aiohttp.ClientSession(
            url, headers=headers, timeout=PATIENCE, cookie_jar=aiohttp.DummyCookieJar()
        )

    def request(self, method: str, path: str, **options: Any) -> _RequestContextManager:
        return self.session.request(method, path, **options)

    def get(self, path: str, **options: Any) -> _RequestContextManager:
        return self.session.get(path, **options)

    def post(self, path: str, **options: Any) -> _RequestContextManager:
        return self.session.post(path, **options)

    def put(self, path: str, **options: Any) -> _RequestContextManager:
        return self.session.put(path, **options)

    def patch(self, path: str, **options: Any) -> _RequestContextManager:
        return self.session.patch(path, **options)

    def delete(self, path: str, **options: Any) -> _RequestContextManager:
        return self.session.delete(path, **options)

    def ws(self, path: str, **options: Any) -> _WSRequestContextManager:
        """Open a WebSocket, as whoever this client is: `async with client.ws("/api/v1/chat") as socket:`.

        A message that does not come within thirty seconds fails the test.
        """
        return self.session.ws_connect(path, **{"timeout": WS_PATIENCE, **options})

    async def call(
        self, method: str, path: str, body: object = None, *, expect: int | None = None, **options: Any
    ) -> Any:
        """Send *body* as JSON and return the decoded answer, whose status must be *expect*, or any success."""
        if body is not None:
            options["json"] = body
        async with self.session.request(method, path, **options) as answer:
            text, status = await answer.text(), answer.status
        wanted = expect or "a success"
        assert answer.ok if expect is None else status == expect, (
            f"{method} {path} answered {status}, not {wanted}: {text}"
        )
        return json.loads(text) if text else None

    async def close(self) -> None:
        await self.session.close()
