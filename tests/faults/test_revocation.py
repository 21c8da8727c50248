"""Access that was taken away ends in every process (A11), that of open WebSockets too, also while Redis is away."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

import pytest

from kernel import CloseCode
from kernel.testing.clients import Client
from tests.faults.backstage import Backstage
from tests.faults.lecture import SOCKET
from tests.faults.site import People, Server
from tests.kernel.http.sockets.speaking import ended
from tests.plugins.auth.signing_in import CODES, SESSIONS, status

LIMIT: Final = 5.0  # seconds
ACCOUNTS: Final = "/api/v1/auth/accounts"


@asynccontextmanager
async def both(servers: list[Server], token: str) -> AsyncIterator[tuple[Client, Client]]:
    """Give the same person as a client of either process."""
    here, there = (Client(server.url, token=token) for server in servers)
    try:
        yield here, there
    finally:
        await here.close()
        await there.close()


async def signed_in(server: Server, stage: Backstage) -> dict[str, Any]:
    """Return the answer to the sign-in of somebody new."""
    client, email = Client(server.url), f"{uuid4().hex}@example.org"
    try:
        answer = await client.call("POST", CODES, {"email": email}, expect=202)
        found = re.search(r"\b(\d{6})\b", (await stage.mail(email)).text)
        assert found
        body = {"challenge_id": answer["challenge_id"], "code": found[1]}
        tokens: dict[str, Any] = await client.call("POST", SESSIONS, body, expect=201)
        return tokens
    finally:
        await client.close()


async def becomes(expected: int, client: Client, path: str = SESSIONS) -> float:
    """Return after how many seconds *client* gets the *expected* status."""
    began = time.monotonic()
    while await status(client, "GET", path) != expected:
        assert time.monotonic() - began < LIMIT
        await asyncio.sleep(0.05)
    return time.monotonic() - began


@pytest.mark.parametrize("redis", ["with Redis", "while Redis is away"])
async def test_what_was_taken_away_ends_in_the_other_process(
    servers: list[Server], stage: Backstage, people: People, redis: str
) -> None:
    """A11: signing out, losing a role and being disabled count there within five seconds, and end connections."""
    leaving, losing, banned, staying = [await signed_in(servers[0], stage) for _ in range(4)]
    async with (
        people.client(servers[0], "admin") as admin,
        both(servers, leaving["access_token"]) as (leaver, leaver_there),
        both(servers, losing["access_token"]) as (_, loser_there),
        both(servers, banned["access_token"]) as (_, banned_there),
    ):
        keeper, path = (f"{ACCOUNTS}/{one['user']['id']}/roles" for one in (staying, losing))
        await admin.call("PUT", keeper, {"roles": ["admin"]})  # there is always one
        await admin.call("PUT", path, {"roles": ["admin", "student"]})
        await becomes(200, loser_there, ACCOUNTS)
        for client in (leaver_there, banned_there):
            assert await status(client, "GET", SESSIONS) == 200
        sockets = [await client.session.ws_connect(SOCKET) for client in (leaver_there, loser_there, banned_there)]
        if redis == "with Redis":
            await take_away(admin, leaver, path, banned["user"]["id"])
        else:
            with stage.redis_away():
                await take_away(admin, leaver, path, banned["user"]["id"])
                await becomes(401, leaver_there)

        async with asyncio.timeout(LIMIT):
            assert [await ended(socket) for socket in sockets] == [CloseCode.REVOKED] * 3
        await becomes(401, leaver_there)
        await becomes(403, loser_there, ACCOUNTS)
        await becomes(401, banned_there)


async def take_away(admin: Client, leaver: Client, roles: str, banned: str) -> None:
    """Sign out, demote and disable."""
    await leaver.call("POST", "/api/v1/auth/sign-out", expect=204)
    await admin.call("PUT", roles, {"roles": ["student"]})
    await admin.call("POST", f"{ACCOUNTS}/{banned}/disable")
