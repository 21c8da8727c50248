"""The HTTP API of the deployment, called as anybody would call it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from kernel import errors, new_id

START_SECONDS: Final = 60.0  # within which the server must listen
PAUSE: Final = 0.05  # seconds between attempts to reach it

Json = dict[str, Any]


class CallFailed(errors.LyceumError):
    """The API answered with a problem."""


class Api:
    """Calls by *http*, whose base is the address of the deployment."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def listens(self) -> None:
        """Return once the server takes requests: plugins start before it does.

        Raises:
            TimeoutError: it did not within a minute.
        """
        async with asyncio.timeout(START_SECONDS):
            while not await self._answers():  # noqa: ASYNC110 - the socket tells nobody that it listens
                await asyncio.sleep(PAUSE)

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str = "") -> Json:
        """Return the JSON of the answer.

        Raises:
            CallFailed: the answer is a problem.
        """
        headers = {"Idempotency-Key": str(new_id())} | ({"Authorization": f"Bearer {token}"} if token else {})
        async with self._http.request(method, f"/api/v1{path}", json=body, headers=headers) as answer:
            if answer.status >= 400:
                raise CallFailed(f"{method} {path} answered {answer.status}: {await answer.text()}")
            found: Json = await answer.json() if answer.status != 204 else {}
            return found

    async def _answers(self) -> bool:
        try:
            async with self._http.get("/-/live"):
                return True
        except aiohttp.ClientConnectorError:
            return False
