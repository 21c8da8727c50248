"""Connections that were opened by a stranger, who says who it is then."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import aiohttp
import pytest

from kernel import PUBLIC, CloseCode, Connection, Credential, Principal, Request, Socket, new_id, problems, socket
from kernel.http.sockets.tickets import Tickets
from kernel.testing.clock import MovableClock
from tests.kernel.http.serving import bearing, serving
from tests.kernel.http.sockets.speaking import PATH, ended


class Doorman:
    """Signs in by what each message says, and answers with who it is, or with the status of the problem."""

    def __init__(self, request: Request, connection: Connection) -> None:
        self._request = request
        self._connection = connection

    async def received(self, text: bytes) -> None:
        try:
            person = await self._connection.sign_in(self._request, Credential(**json.loads(text)))
        except problems.Problem as problem:
            return self._connection.send(str(problem.status).encode())
        assert self._connection.principal is person
        return self._connection.send(str(person.id).encode())

    def closed(self, code: int) -> None: ...


def door(permission: str = PUBLIC) -> Socket:
    """Return a socket that anybody may open."""

    async def open_it(request: Request, connection: Connection) -> Doorman:
        return Doorman(request, connection)

    return socket("/talk", open_it, permission=permission)


@asynccontextmanager
async def standing_before(door: Socket, **served: object) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Give a connection of a stranger."""
    async with serving(sockets=[door], **served) as client, client.ws_connect(PATH) as ws:  # type: ignore[arg-type]
        yield ws


def token(*permissions: str, **people: object) -> str:
    """Return the token of somebody."""
    return bearing(*permissions, **people)["Authorization"].removeprefix("Bearer ")  # type: ignore[arg-type]


async def say(ws: aiohttp.ClientWebSocketResponse, **credential: str) -> str:
    """Say who one is; return the answer."""
    await ws.send_json(credential)
    return str(await ws.receive_str())


async def test_stranger_signs_in_by_a_ticket_or_a_token() -> None:
    """What is not good is refused, and may be followed by what is."""
    clock, ada = MovableClock(), new_id()
    tickets = Tickets(None, clock)
    principal = Principal(id=ada, session=new_id(), roles=frozenset(), permissions=frozenset())
    async with standing_before(door(), tickets=tickets, clock=clock) as ws:
        assert [await say(ws), await say(ws, token="bad"), await say(ws, ticket="bad")] == ["401"] * 3
        ticket = await tickets.issue(principal)
        assert [await say(ws, ticket=ticket), await say(ws, ticket=ticket)] == [str(ada), "401"]
    async with standing_before(door()) as ws:
        assert await say(ws, token=token("any", person=ada)) == str(ada)


async def test_connection_stays_with_the_person_who_signed_in_first() -> None:
    """Neither another person nor somebody who stands in for the same one takes it over."""
    ada = new_id()
    async with standing_before(door()) as ws:
        assert await say(ws, token=token("any", person=ada)) == str(ada)
        assert await say(ws, token=token("any")) == "403"
        assert await say(ws, token=token("any", person=ada, actor=new_id())) == "403"
        assert await say(ws, token=token("other", person=ada)) == str(ada)


async def test_whoever_signs_in_needs_the_permission_of_the_socket() -> None:
    """As who opens it with theirs."""
    ada = new_id()
    async with serving(sockets=[door("notes.read")]) as client:
        opened = client.ws_connect(PATH, headers=bearing("notes.read", person=ada))
        async with opened as ws:
            assert await say(ws, token=token("other", person=ada)) == "403"


async def test_who_signs_in_for_another_is_recorded() -> None:
    """Before anything else, and nobody is signed in where that fails."""
    acted: list[str] = []
    async with standing_before(door(), acted=acted) as ws:
        assert await say(ws, token=token("any", actor=new_id())) != "403"
    assert acted == [f"GET {PATH}"]
    async with standing_before(door(), acted=acted) as ws:
        await ws.send_json({"token": token("unrecorded", actor=new_id())})
        assert await ended(ws) == CloseCode.INTERNAL


@pytest.mark.parametrize("how", ["over", "ended"])
async def test_connection_ends_with_the_sign_in_that_was_said(how: str) -> None:
    """Within five seconds, as if the handshake had borne it."""
    clock, ada, gone = MovableClock(), new_id(), set[UUID]()
    expires = clock.now() + timedelta(minutes=10)
    async with standing_before(door(), clock=clock, ended=gone, expires=expires) as ws:
        assert await say(ws, token=token("any", person=ada)) == str(ada)
        if how == "over":
            clock.advance(601)
        else:
            gone.add(ada)
        async with asyncio.timeout(5):
            assert await ended(ws) == (CloseCode.EXPIRED if how == "over" else CloseCode.REVOKED)
