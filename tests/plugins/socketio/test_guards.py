"""Who gets in by Socket.IO, what they may send, and what parts them: as of every other WebSocket."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import aiohttp
import pytest

from kernel import CloseCode, Context, Listener, Manifest, Principal, Provide, hookimpl
from kernel.containment.breaker import Fault
from kernel.contracts.chat import CHAT, Line
from kernel.http.frame import SHARED
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.chat import InMemoryChat, InMemoryChatPlugin
from plugins.socketio import client as client_module
from plugins.socketio import engine
from tests.kernel.http.sockets.speaking import ended, handshake, masked
from tests.plugins.auth.signing_in import sign_in
from tests.plugins.chat.classroom import open_classroom
from tests.plugins.chat.listening import eventually, hub
from tests.plugins.socketio.noding import node
from tests.plugins.socketio.raw import PATH, connected, opened, refusal

LIMIT = 5.0  # seconds
TICKETS = "/api/v1/sockets/tickets"
UNLIMITED: Any = {"sections": {"http": {"unsafe_rate": "100000/minute"}}}
LARGE = "\N{HONEYBEE}" * 4000


async def test_ticket_connects_once(deploy: Deploy, folder: Path) -> None:
    """It is gone with its first use; what is refused says why, and the client does not try by itself again."""
    deployment = await deploy("socketio")
    ticket = (await deployment.client("student").call("POST", TICKETS, expect=201))["ticket"]

    async with node(folder, deployment.url, auth={"ticket": ticket}) as one:
        await one.happens("connect")
    async with node(folder, deployment.url, auth={"ticket": ticket}) as two:
        refused = await two.happens("connect_error")

    assert refused["message"] == refused["data"]["title"]
    assert (refused["data"]["status"], refused["data"]["problem"]) == (401, "/problems/not-signed-in")


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        ({}, 401),
        ({"token": "nonsense"}, 401),
        ({"ticket": "nonsense"}, 401),
        ({"ticket": "", "token": ""}, 401),
        ({"password": "x"}, 400),
        ({"token": 7}, 400),
        (["token"], 400),
    ],
)
@pytest.mark.sqlite_only
async def test_stranger_is_refused(deploy: Deploy, auth: object, status: int) -> None:
    """With a reason; nothing else is heard of them, and a second try takes another connection."""
    deployment = await deploy("socketio")
    async with opened(deployment.client()) as ws:
        assert (await refusal(ws, auth))["status"] == status
        await ws.send_str('42["join",{}]')
        assert await ended(ws) == CloseCode.POLICY
    async with opened(deployment.client()) as ws:
        await refusal(ws, auth)
        await ws.send_str("40")
        assert await ended(ws) == CloseCode.POLICY


@pytest.mark.sqlite_only
async def test_who_says_nothing_is_parted_from(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has said who it is, stays."""
    monkeypatch.setattr(client_module, "CONNECT_SECONDS", 0.3)
    deployment = await deploy("socketio")
    async with opened(deployment.client()) as silent, connected(deployment.client("student")) as known:
        assert await ended(silent) == CloseCode.POLICY
        with pytest.raises(TimeoutError):
            await known.receive(timeout=0.5)


@pytest.mark.sqlite_only
async def test_handshake_that_says_who_it_is_suffices(deploy: Deploy) -> None:
    """Whatever is said then has to be the same person."""
    deployment = await deploy("socketio")
    ada, bob = deployment.client("student"), deployment.client("student")
    async with connected(ada):
        pass
    async with opened(ada) as ws:
        assert (await refusal(ws, {"token": bob.token}))["status"] == 403


@pytest.mark.sqlite_only
async def test_page_of_another_site_opens_nothing(deploy: Deploy) -> None:
    """Whoever it says it is."""
    deployment = await deploy("socketio")
    for origin in ("https://evil.example", "null"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await deployment.client("student").ws(PATH, headers={"Origin": origin})
        assert refused.value.status == 403
    async with opened(deployment.client(), headers={"Origin": deployment.url}):
        pass


@pytest.mark.parametrize(
    "query", ["EIO=3&transport=websocket", "EIO=4&transport=polling", "EIO=4&transport=websocket&sid=x"]
)
@pytest.mark.sqlite_only
async def test_other_protocols_are_refused_before_the_upgrade(deploy: Deploy, query: str) -> None:
    """Polling too, by which clients begin that were not told: it says what to tell them."""
    deployment = await deploy("socketio")
    client = deployment.client("student")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws(f"/api/v1/socketio/?{query}")
    await client.call("GET", "/api/v1/socketio/", params={"EIO": "4", "transport": "polling"}, expect=426)

    assert refused.value.status == 400


async def school(deploy: Deploy) -> Deployment:
    """Deploy it with the people that there are."""
    return await deploy("auth", "mail", "socketio")


async def test_client_whose_session_is_ended_is_parted_from(deploy: Deploy, folder: Path, end: str) -> None:
    """Within five seconds, in whichever process; as it comes back by itself it is refused."""
    deployment = await school(deploy)
    beside = await deployment.twin() if end == "postgresql" else deployment
    token = (await sign_in(deployment, "ada@example.org"))["access_token"]
    other = (await sign_in(deployment, "bob@example.org"))["access_token"]
    async with (
        node(folder, beside.url, auth={"token": token}) as one,
        node(folder, beside.url, auth={"token": other}) as two,
    ):
        await one.happens("connect")
        await two.happens("connect")
        await deployment.client(token=token).call("POST", "/api/v1/auth/sign-out", expect=204)
        async with asyncio.timeout(LIMIT):
            gone = await one.happens("disconnect")
        refused = await one.happens("connect_error")

    assert gone["code"] == CloseCode.REVOKED
    assert refused["data"]["status"] == 401
    assert [told["kind"] for told in two.told] == ["connect"]


async def test_client_is_parted_from_with_its_token_unless_it_renews(deploy: Deploy, folder: Path) -> None:
    """By a ticket or a token of the same person; others' are refused, and change nothing."""
    deployment = await school(deploy)
    ada = await sign_in(deployment, "ada@example.org")
    auth = {"token": ada["access_token"]}
    async with (
        node(folder, deployment.url, auth=auth) as ends,
        node(folder, deployment.url, auth=auth) as stays,
        node(folder, deployment.url, auth=auth) as stays_too,
    ):
        for one in (ends, stays, stays_too):
            await one.happens("connect")
        deployment.clock.advance(300)
        renewed = deployment.client(token=(await sign_in(deployment, "ada@example.org"))["access_token"])
        ticket = (await renewed.call("POST", TICKETS, expect=201))["ticket"]
        bob = (await sign_in(deployment, "bob@example.org"))["access_token"]
        by_ticket = await stays.ask("authenticate", ticket=ticket)
        by_token = await stays_too.ask("authenticate", token=renewed.token)
        of_another = await ends.ask("authenticate", token=bob)
        again = await ends.ask("authenticate", ticket=ticket)
        deployment.clock.advance(400)
        async with asyncio.timeout(LIMIT):
            gone = await ends.happens("disconnect")
        await asyncio.sleep(1.5)

        assert [one["type"] for one in (by_ticket, by_token)] == ["authenticated"] * 2
        assert 0 < by_ticket["expires_in"] <= 600
        assert [(one["type"], one["status"]) for one in (of_another, again)] == [("refused", 403), ("refused", 401)]
        assert gone["code"] == CloseCode.EXPIRED
        assert [told["kind"] for told in (*stays.told, *stays_too.told)] == ["connect", "ack"] * 2


@pytest.mark.parametrize(
    "packet",
    [
        *(
            "",
            "2",
            "5",
            "6",
            "3x",
            "1x",
            "4",
            "43[]",
            "430[]",
            "44",
            '45-["join",{}]',
            '451-["join",{}]',
            "b4AAA",
            "bAAA",
        ),
        *("42", "42[]", '42["join"]', '42["join",1]', '42["join",{},{}]', "42{}", "42[1,{}]", "42[", "42" + "[" * 9000),
        *('42["join",' + '{"a":' * 5000, "42" + "9" * 200 + '["join",{}]', "429007199254740993[]", '42²["join",{}]'),
        *('42/other,["join",{}]x', "4212345678901-[]"),
    ],
    ids=lambda packet: packet[:20],
)
@pytest.mark.sqlite_only
async def test_what_can_not_be_read_ends_its_connection_and_is_nobodys_fault(
    deploy: Deploy, packet: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the library nor the plugin is said to have failed."""
    deployment = await deploy("socketio")
    async with connected(deployment.client("student")) as ws:
        await ws.send_str(packet)
        assert await ended(ws) == CloseCode.POLICY
    async with connected(deployment.client("student")):
        pass

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.sqlite_only
async def test_message_may_have_so_many_bytes_and_no_more(deploy: Deploy, folder: Path) -> None:
    """The largest text that the chat takes is below that."""
    room = await open_classroom(deploy, "socketio")
    async with node(folder, room.deployment.url, auth={"token": room.student().token}) as one:
        await one.join(room.room)
        stored = await one.ask("post", room=room.room, client_id="a", text=LARGE)
        one.do("send", event="post", body={"text": "x" * 33_000})

        assert stored["type"] == "stored"
        assert (await one.happens("disconnect"))["code"] == CloseCode.TOO_BIG


@pytest.mark.sqlite_only
async def test_client_that_sends_too_much_is_parted_from(deploy: Deploy, folder: Path) -> None:
    """Whatever it sends."""
    deployment = await deploy("socketio")
    async with node(folder, deployment.url, auth={"token": deployment.client("student").token}) as one:
        await one.happens("connect")
        for _ in range(400):
            one.do("send", event="typing", body={})

        assert (await one.happens("disconnect"))["code"] == CloseCode.TOO_MANY


@pytest.mark.sqlite_only
async def test_client_that_never_reads_is_cut_off_and_the_others_get_everything(deploy: Deploy, folder: Path) -> None:
    """At the bound of its queue; what lay there is forgotten."""
    room = await open_classroom(deploy, "socketio", settings={"messages_per_room": "100000/second"}, **UNLIMITED)
    slow, bob = room.student(), room.student()
    address = urlsplit(room.deployment.url)
    with socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, (address.hostname, address.port))
        asked = handshake("x", Authorization=f"Bearer {slow.token}").replace(b"/api/v1/notes/talk", PATH.encode())
        join = f'42["join",{{"room":"{room.room}","id":1}}]'.encode()
        for sent in (asked, masked(0x81, b"40"), masked(0x81, join)):
            await asyncio.get_running_loop().sock_sendall(small, sent)
            await asyncio.sleep(0.2)
        async with node(folder, room.deployment.url, auth={"token": bob.token}) as other:
            await other.join(room.room)
            await eventually(lambda: [len(feed.members) for feed in hub(room).feeds.values()] == [2])
            for _ in range(25):
                await asyncio.gather(*(room.say(bob, LARGE[:2500]) for _ in range(20)))
            await other.hears(500)

            assert other.entries() == [("message", offset) for offset in range(1, 501)]
    metrics = room.deployment.platform.app[SHARED].metrics.socket("socketio", "/api/v1/socketio/")
    await eventually(lambda: metrics.closed[CloseCode.SLOW] == 1)


@pytest.mark.sqlite_only
async def test_heartbeat_keeps_who_answers_and_parts_from_who_does_not(
    deploy: Deploy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pings are the protocol's own, which the client awaits: without them it would leave."""
    monkeypatch.setattr(engine, "PING_SECONDS", 1)
    monkeypatch.setattr(engine, "PONG_SECONDS", 1)
    deployment = await deploy("socketio")
    async with (
        node(folder, deployment.url, auth={"token": deployment.client("student").token}) as answers,
        connected(deployment.client("student")) as silent,
    ):
        assert await silent.receive_str(timeout=LIMIT) == "2"
        assert await ended(silent) == CloseCode.NORMAL
        await asyncio.sleep(2)

        assert [told["kind"] for told in answers.told] == ["connect"]


@pytest.mark.sqlite_only
async def test_library_logs_neither_tokens_nor_what_people_say(
    deploy: Deploy, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However much is asked to be logged."""
    caplog.set_level(logging.DEBUG)
    room = await open_classroom(deploy, "socketio")
    token = room.student().token
    async with node(folder, room.deployment.url, auth={"token": token}) as one:
        await one.join(room.room)
        await one.ask("post", room=room.room, client_id="a", text="between us")

    assert token is not None
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name != "aiosqlite")
    assert "between us" not in logged
    assert token not in logged


class Broken(InMemoryChat):
    """Breaks when somebody comes."""

    async def converse(self, person: Principal, line: Line) -> Listener:
        raise ZeroDivisionError("secret value 4711")


class BrokenChatPlugin(InMemoryChatPlugin):
    """Provides it."""

    manifest: ClassVar[Manifest] = Manifest(name="broken-chat", version="1", provides=(CHAT,))

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(CHAT, lambda: nullcontext(Broken(ctx.clock)))


@pytest.mark.sqlite_only
async def test_failure_of_ours_is_said_and_seen(deploy: Deploy) -> None:
    """The connection ends as of any listener that breaks, and whoever broke is counted."""
    deployment = await deploy("socketio", plugins=[BrokenChatPlugin])
    async with opened(deployment.client("student")) as ws:
        await ws.send_str("40")
        assert await ended(ws) == CloseCode.INTERNAL
    assert deployment.platform.app[SHARED].containment.of("broken-chat").counts == {Fault.REQUEST: 1}
