"""WebSockets of people who are signed in: tickets, cookies, and what ends them, in every process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any, ClassVar

import aiohttp
import pytest

from kernel import SIGNED_IN, CloseCode, Connection, Context, Manifest, Plugin, Request, Socket, hookimpl, socket
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from tests.kernel.http.sockets.speaking import ended
from tests.plugins.auth.browsing import browse
from tests.plugins.auth.signing_in import administrator, sign_in, status

LIMIT = 5.0  # seconds
TICKETS = "/api/v1/sockets/tickets"
TALK = "/api/v1/talking/talk"
ACCOUNTS = "/api/v1/auth/accounts"


class Says:
    """Says nothing."""

    async def received(self, text: bytes) -> None: ...

    def closed(self, code: int) -> None: ...


class Talking(Plugin):
    """Has a socket that says who opened it."""

    manifest: ClassVar[Manifest] = Manifest(name="talking", version="1")

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Socket]:
        async def talk(request: Request, connection: Connection) -> Says:
            """Talk."""
            connection.send(str(request.principal.id).encode())
            return Says()

        yield socket("/talk", talk, permission=SIGNED_IN)


async def deployed(deploy: Deploy) -> Deployment:
    """Return a deployment with the socket."""
    return await deploy("auth", "mail", plugins=[Talking])


async def refused(client: Client, path: str = TALK, **headers: str) -> int:
    """Return the status with which a handshake is refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as found:
        await client.session.ws_connect(path, headers=headers)
    return found.value.status


async def test_ticket_opens_one_socket_in_whichever_process(deploy: Deploy, end: str) -> None:
    """It is for those who are signed in, and says who they are."""
    here = await deployed(deploy)
    there = await here.twin() if end == "postgresql" else here
    ada = await sign_in(here, "ada@example.org")
    stranger = there.client()

    ticket = (await here.client(token=ada["access_token"]).call("POST", TICKETS, expect=201))["ticket"]

    async with stranger.ws(f"{TALK}?ticket={ticket}") as ws:
        assert await ws.receive_str() == ada["user"]["id"]
    for deployment in (here, there):
        assert await refused(deployment.client(), f"{TALK}?ticket={ticket}") == 401
    assert await refused(stranger) == 401
    assert await status(stranger, "POST", TICKETS) == 401


async def test_ticket_of_an_ended_session_opens_nothing_for_long(deploy: Deploy) -> None:
    """Who gets in by it in the last moment is parted from at the next look."""
    deployment = await deployed(deploy)
    token = (await sign_in(deployment, "ada@example.org"))["access_token"]
    client = deployment.client(token=token)
    ticket = (await client.call("POST", TICKETS, expect=201))["ticket"]
    await client.call("POST", "/api/v1/auth/sign-out", expect=204)

    async with deployment.client().ws(f"{TALK}?ticket={ticket}") as ws, asyncio.timeout(LIMIT):
        assert await ended(ws) == CloseCode.REVOKED


async def test_cookie_opens_a_socket_for_our_own_pages_alone(deploy: Deploy) -> None:
    """A30: a foreign, null or missing origin is refused before the upgrade; a ticket takes the token of the page."""
    deployment = await deployed(deploy)
    browser = await browse(deployment, "ada@example.org")
    client, cookie = browser.client, {"Cookie": browser.cookie}

    for headers in ({}, {"Origin": "null"}, {"Origin": "https://evil.example"}):
        assert await refused(client, **cookie, **headers) == 403
    async with client.ws(TALK, headers=cookie | {"Origin": deployment.url}) as ws:
        assert await ws.receive_str() == browser.user
    assert await browser.status("POST", TICKETS) == 201
    assert await browser.status("POST", TICKETS, X_CSRF_Token=None) == 403


@pytest.mark.parametrize("how", ["signed out", "demoted", "disabled"])
async def test_what_was_taken_away_ends_connections_in_every_process(deploy: Deploy, end: str, how: str) -> None:
    """Within five seconds; others stay."""
    here = await deployed(deploy)
    there = await here.twin() if end == "postgresql" else here
    admin = await administrator(here)
    ada, bob = await sign_in(here, "ada@example.org"), await sign_in(here, "bob@example.org")
    async with AsyncExitStack() as stack:
        sockets = [await opened(stack, deployment, ada) for deployment in (here, there)]
        other = await opened(stack, there, bob)
        account = f"{ACCOUNTS}/{ada['user']['id']}"
        if how == "signed out":
            await here.client(token=ada["access_token"]).call("POST", "/api/v1/auth/sign-out", expect=204)
        elif how == "demoted":
            await admin.call("PUT", f"{account}/roles", {"roles": ["instructor"]})
        else:
            await admin.call("POST", f"{account}/disable")

        async with asyncio.timeout(LIMIT):
            assert [await ended(ws) for ws in sockets] == [CloseCode.REVOKED] * 2
        assert not other.closed


async def test_connection_ends_with_its_token_and_goes_on_with_a_new_one(deploy: Deploy) -> None:
    """A33, with the tokens that people have."""
    deployment = await deployed(deploy)
    ada = await sign_in(deployment, "ada@example.org")
    async with AsyncExitStack() as stack:
        ends, stays = [await opened(stack, deployment, ada) for _ in range(2)]
        deployment.clock.advance(300)
        renewed = deployment.client(token=(await sign_in(deployment, "ada@example.org"))["access_token"])
        ticket = (await renewed.call("POST", TICKETS, expect=201))["ticket"]
        await stays.send_json({"type": "authenticate", "ticket": ticket})
        assert (await stays.receive_json())["type"] == "authenticated"
        deployment.clock.advance(400)

        async with asyncio.timeout(LIMIT):
            assert await ended(ends) == CloseCode.EXPIRED
        await asyncio.sleep(1.5)
        assert not stays.closed


async def opened(
    stack: AsyncExitStack, deployment: Deployment, tokens: dict[str, Any]
) -> aiohttp.ClientWebSocketResponse[Any]:
    """Return a connection of whoever has *tokens*."""
    ws = await stack.enter_async_context(deployment.client(token=tokens["access_token"]).ws(TALK))
    assert await ws.receive_str() == tokens["user"]["id"]
    return ws
