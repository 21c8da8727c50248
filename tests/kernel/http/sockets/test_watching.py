"""Connections that end by themselves: silent, slow, over, ended early; and those that are renewed in time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import aiohttp
import pytest
from redis.asyncio import Redis

from kernel import SIGNED_IN, CloseCode, FanOut, Principal, frame, new_id
from kernel.http.settings import HttpSettings
from kernel.http.sockets.tickets import Tickets
from kernel.testing.clock import MovableClock
from tests.kernel.http.serving import bearing, serving
from tests.kernel.http.sockets.speaking import PATH, Stage, ended, masked, raw, talking

QUICK = HttpSettings(socket_ping_seconds=0.2, socket_pong_seconds=0.2)


async def test_client_that_answers_pings_stays() -> None:
    """However long it says nothing."""
    stage = Stage()
    async with serving(sockets=[stage.socket()], settings=QUICK) as client, client.ws_connect(PATH) as ws:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.receive(), 1.2)  # aiohttp's client answers meanwhile
        assert stage.closed == []


async def test_client_that_answers_no_ping_is_parted_from() -> None:
    """With a code of its own, for whoever reads still."""
    stage = Stage()
    async with serving(sockets=[stage.socket()], settings=QUICK) as client, raw(client) as peer:
        assert await peer.reader.readexactly(2) == b"\x89\x00"
        assert await peer.code() == CloseCode.SILENT
        assert await stage.end() == CloseCode.SILENT


async def test_client_that_does_not_answer_the_closing_is_cut_off() -> None:
    """The connection is gone after two looks."""
    stage = Stage()
    async with serving(sockets=[stage.socket()], settings=QUICK) as client, raw(client) as peer:
        peer.send(masked(0x82, b""))
        assert await peer.code() == CloseCode.UNSUPPORTED
        with contextlib.suppress(ConnectionResetError):
            await asyncio.wait_for(peer.reader.read(), 5)


async def test_client_that_never_reads_is_cut_off_and_the_others_get_everything() -> None:
    """A31: at its bound, with a code of its own; what lay there for it is forgotten."""
    stage, fan_out = Stage(), FanOut()
    async with serving(sockets=[stage.socket(queue_limit=256 * 1024)]) as client, raw(client) as slow:
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined] # it is one that reads
        async with client.ws_connect(PATH, max_msg_size=0) as ws:
            members = tuple(stage.connections)
            for number in range(200):
                fan_out.send(members, frame(f"{number:06}".encode() * 10_000))
                assert (await ws.receive_str()).startswith(f"{number:06}")

            assert await stage.end() == CloseCode.SLOW
            assert stage.connections[1].code is None


@asynccontextmanager
async def signed_in(
    stage: Stage, person: UUID, clock: MovableClock, tickets: Tickets, ended_people: set[UUID] | None = None
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Give a connection of *person*, whose sign-in is over in ten minutes."""
    async with talking(
        stage,
        headers=bearing("notes.read", person=person),
        clock=clock,
        tickets=tickets,
        expires=clock.now() + timedelta(minutes=10),
        ended=set() if ended_people is None else ended_people,
    ) as ws:
        yield ws


def renewed(person: UUID, clock: MovableClock, *permissions: str) -> Principal:
    """Return *person* signed in anew, for an hour."""
    expires = clock.now() + timedelta(hours=1)
    return Principal(
        id=person, session=new_id(), roles=frozenset(), permissions=frozenset(permissions), expires=expires
    )


async def test_connection_ends_with_the_sign_in_behind_it() -> None:
    """A33: within five seconds, with a code of its own."""
    stage, clock = Stage(), MovableClock()
    async with signed_in(stage, new_id(), clock, Tickets(None, clock)) as ws:
        clock.advance(601)
        async with asyncio.timeout(5):
            assert await ended(ws) == CloseCode.EXPIRED


async def test_connection_that_is_renewed_in_time_stays() -> None:
    """A33: by a ticket of the same person; its listener sees who it is now."""
    stage, clock, person = Stage(), MovableClock(), new_id()
    tickets = Tickets(None, clock)
    async with signed_in(stage, person, clock, tickets) as ws:
        fresh = renewed(person, clock, "notes.write")
        await ws.send_json({"type": "authenticate", "ticket": await tickets.issue(fresh)})
        told = await ws.receive_json()
        clock.advance(601)
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=2.5)

        assert (told["type"], told["expires_in"] // 60) == ("authenticated", 59)
        assert stage.connections[0].principal == fresh
        assert (stage.heard, stage.closed) == ([], [])


@pytest.mark.parametrize("refused", ["person", "ticket"])
async def test_connection_is_not_renewed_by_another_person_nor_by_a_ticket_that_was_used(refused: str) -> None:
    """It stays what it was, and ends when it would have."""
    stage, clock, person = Stage(), MovableClock(), new_id()
    tickets = Tickets(None, clock)
    async with signed_in(stage, person, clock, tickets) as ws:
        ticket = await tickets.issue(renewed(new_id() if refused == "person" else person, clock))
        if refused == "ticket":
            await tickets.redeem(ticket)
        await ws.send_str(json.dumps({"type": "authenticate", "ticket": ticket}))
        assert await ws.receive_json() == {"type": "authentication-refused", "reason": refused}
        clock.advance(601)
        assert await ended(ws) == CloseCode.EXPIRED


async def test_connection_stays_when_tickets_can_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told to try again; it has done nothing wrong, and neither has the plugin."""
    stage, clock, person = Stage(), MovableClock(), new_id()
    tickets = Tickets(None, clock)
    async with signed_in(stage, person, clock, tickets) as ws:
        with monkeypatch.context() as patched:
            patched.setattr(tickets, "_redis", Redis.from_url("redis://127.0.0.1:1"))
            await ws.send_json({"type": "authenticate", "ticket": "x"})
            assert await ws.receive_json() == {"type": "authentication-refused", "reason": "ticket"}

        await ws.send_json(
            {"type": "authenticate", "ticket": await tickets.issue(renewed(person, clock, "notes.read"))}
        )
        assert (await ws.receive_json())["type"] == "authenticated"


async def test_connection_whose_renewal_lacks_the_permission_ends() -> None:
    """What it takes to open it, it takes to go on."""
    stage, clock, person = Stage(), MovableClock(), new_id()
    tickets = Tickets(None, clock)
    limited = stage.socket("notes.read")
    async with (
        serving(sockets=[limited], clock=clock, tickets=tickets) as client,
        client.ws_connect(PATH, headers=bearing("notes.read", person=person)) as ws,
    ):
        ticket = await tickets.issue(renewed(person, clock, "other"))
        await ws.send_json({"type": "authenticate", "ticket": ticket})
        assert await ended(ws) == CloseCode.REVOKED


async def test_connection_ends_when_the_identity_says_so() -> None:
    """Within five seconds; messages that wait are not heard any more."""
    stage, clock, ada, ended_people = Stage(), MovableClock(), new_id(), set[UUID]()
    async with signed_in(stage, ada, clock, Tickets(None, clock), ended_people) as ws:
        await ws.send_str("wait")
        await ws.send_str("too late")
        ended_people.add(ada)
        async with asyncio.timeout(5):
            assert await ended(ws) == CloseCode.REVOKED
        stage.going_on.set()
        assert await stage.end() == CloseCode.REVOKED
    assert stage.heard == [b"wait"]


async def test_listener_gets_messages_that_only_mention_authenticating() -> None:
    """The kernel takes its own alone."""
    stage = Stage()
    async with serving(sockets=[stage.socket()]) as client, client.ws_connect(PATH) as ws:
        for text in ('{"type":"say","text":"authenticate"}', '{"type": "authenticate"}', '"authenticate"'):
            await ws.send_str(text)
            assert await ws.receive_str() == text


async def test_process_that_stops_lets_messages_be_finished_and_parts_from_everybody() -> None:
    """A39: who is idle and who is being heard get the same code, and the answer comes before it."""
    stage = Stage()
    async with asyncio.timeout(10):
        async with aiohttp.ClientSession() as outside:
            async with serving(sockets=[stage.socket(SIGNED_IN)]) as client:
                url = str(client._base_url) + PATH
                busy = await outside.ws_connect(url, headers=bearing("any"))
                idle = await outside.ws_connect(url, headers=bearing("any"))
                await busy.send_str("wait")
                await stage.hearing.wait()
                asyncio.get_running_loop().call_later(0.3, stage.going_on.set)
                at_once = asyncio.create_task(idle.receive())
                answer = asyncio.create_task(busy.receive())
            assert (await answer).data == "wait"
            second = await busy.receive()
            first = await at_once

    assert (first.data, second.data) == (CloseCode.RESTART, CloseCode.RESTART)
    assert stage.closed == [CloseCode.RESTART] * 2
