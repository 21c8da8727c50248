"""WebSockets under attack: foreign pages (A30), who never reads (A31), floods (A32), the end of a token (A33)."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import time
import urllib.request
from typing import Any, Final
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio

from kernel import CloseCode, new_id
from kernel.testing.clients import Client
from tests.faults.backstage import Backstage
from tests.faults.lecture import SOCKET, Lecture, Voice
from tests.faults.racing import Line
from tests.faults.shop import Shop
from tests.faults.site import People, Server
from tests.faults.test_slow_clients import connected, ended
from tests.kernel.http.sockets.speaking import masked
from tests.plugins.auth.browsing import BROWSERS
from tests.plugins.auth.signing_in import CODES

PUBLIC_URL: Final = "http://localhost:8080"  # of the site
LIMIT: Final = 5.0  # seconds
LIFE: Final = 2.0  # seconds that a token has left
FLOOD: Final = 1_000  # messages
#: More than the queue of a connection and the buffers of the system hold, in texts of 12 KB.
TEXT: Final = "雪" * 4_000
TEXTS: Final = 800
TICKETS: Final = "/api/v1/sockets/tickets"
CLOSED: Final = r'^lyceum_sockets_closed_total\{code="%d".*\} (\S+)$'


@pytest_asyncio.fixture
async def lecture(shop: Shop) -> Lecture:
    return await Lecture.of(shop)


async def cookie_of_a_browser(server: Server, stage: Backstage) -> str:
    """Sign somebody in as a page does; return the cookie."""
    client, email = Client(server.url), f"{uuid4().hex}@example.org"
    try:
        asked = await client.call("POST", CODES, {"email": email}, expect=202)
        found = re.search(r"\b(\d{6})\b", (await stage.mail(email)).text)
        assert found
        async with client.post(BROWSERS, json={"challenge_id": asked["challenge_id"], "code": found[1]}) as answer:
            assert answer.status == 201, await answer.text()
            return answer.headers["Set-Cookie"].partition(";")[0]
    finally:
        await client.close()


def handshake(**headers: str) -> bytes:
    """Return the handshake of the chat with *headers*."""
    lines = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        **headers,
    }
    return "\r\n".join(
        [f"GET {SOCKET} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items()), "", ""]
    ).encode()


def closed(server: Server, code: CloseCode) -> int:
    """Return how many connections *server* has closed with *code*."""
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        found = re.findall(CLOSED % code, answer.read().decode(), re.MULTILINE)
    return sum(int(float(count)) for count in found)


async def serves(server: Server, voice: Voice) -> None:
    """Fail unless the process is the same as ever, and somebody else in the room is answered soon."""
    async with asyncio.timeout(LIMIT):
        assert (await voice.say(uuid4().hex))["type"] == "stored"
    assert server.process.process.poll() is None


async def test_page_of_another_site_opens_nothing_with_our_cookie(servers: list[Server], stage: Backstage) -> None:
    """A30: foreign, null and missing origins get 403, and the connection is HTTP as before; our own page gets in."""
    cookie = {"Cookie": await cookie_of_a_browser(servers[0], stage)}
    line = Line(*await asyncio.open_connection("127.0.0.1", servers[0].port))
    foreign: list[dict[str, str]] = [
        {},
        {"Origin": ""},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:8081"},
        {"Origin": f"{PUBLIC_URL}.evil.example"},
    ]

    for origin in foreign:
        refused = await line.ask(handshake(**cookie, **origin))
        assert (refused.status, refused.problem, "upgrade" in refused.headers) == (403, "forbidden", False)
    assert (await line.ask(b"GET /-/live HTTP/1.1\r\nHost: localhost\r\n\r\n")).status == 200
    assert (await line.ask(handshake(**cookie, Origin=PUBLIC_URL))).status == 101
    line.writer.close()


async def test_client_that_never_reads_is_cut_off_and_the_others_hear_everything(
    servers: list[Server], lecture: Lecture
) -> None:
    """A31: at its bound and with a code of its own, in the midst of what others say."""
    slow, before = await connected(servers[0].port), closed(servers[0], CloseCode.SLOW)
    token = str(lecture.shop.teacher.token)
    slow[1].write(handshake(Authorization=f"Bearer {token}"))
    await slow[0].readuntil(b"\r\n\r\n")
    slow[1].write(masked(0x81, b'{"type":"join","id":1,"room":"%s"}' % lecture.room.encode()))
    student = await lecture.student()
    async with lecture.talking(servers[0], student.token) as listener:
        hearing = asyncio.create_task(heard(listener, TEXTS))
        for number in range(TEXTS):
            await lecture.shop.teacher.call("POST", lecture.messages, {"client_id": str(number), "text": TEXT})

        assert await hearing == [TEXT] * TEXTS
        async with asyncio.timeout(LIMIT):
            while closed(servers[0], CloseCode.SLOW) == before:  # noqa: ASYNC110  # another process sets no Event
                await asyncio.sleep(0.1)
            await ended(slow)
        await serves(servers[0], listener)
    assert closed(servers[0], CloseCode.SLOW) == before + 1


async def heard(voice: Voice, count: int) -> list[str]:
    """Return what was said, once it is so much."""
    while len(voice.said) < count:
        await voice.read()
    return voice.said[:count]


async def flood(socket: aiohttp.ClientWebSocketResponse, room: str) -> None:
    """Say a thousand things at once."""
    for number in range(FLOOD):
        key = f"flood-{number}"
        await socket.send_json({"type": "post", "id": number, "room": room, "client_id": key, "text": key})


async def send_much(socket: aiohttp.ClientWebSocketResponse, room: str) -> None:
    """Send a message of a megabyte."""
    await socket.send_json({"type": "post", "id": 1, "room": room, "client_id": "big", "text": "x" * 2**20})


async def send_no_text(socket: aiohttp.ClientWebSocketResponse, room: str) -> None:
    """Send as text what is not UTF-8."""
    await socket._writer.send_frame(b'{"type":"leave","id":1,"room":"\xc3("}', aiohttp.WSMsgType.TEXT)


async def send_bytes(socket: aiohttp.ClientWebSocketResponse, room: str) -> None:
    """Send what is no text at all."""
    await socket.send_bytes(b"\xff\xfe")


@pytest.mark.parametrize(
    ("misbehave", "code"),
    [
        (flood, CloseCode.TOO_MANY),
        (send_much, CloseCode.TOO_BIG),
        (send_no_text, CloseCode.INVALID_TEXT),
        (send_bytes, CloseCode.UNSUPPORTED),
    ],
)
async def test_client_that_floods_or_sends_what_is_none_is_parted_from_and_others_are_served(
    servers: list[Server], lecture: Lecture, misbehave: Any, code: CloseCode
) -> None:
    """A32: with a code that says why; of a flood what was acknowledged is stored, and it is no more than a burst."""
    student, other = await lecture.student(), await lecture.student()
    async with lecture.talking(servers[0], other.token) as neighbour:
        async with lecture.talking(servers[0], student.token) as voice:
            assert (await voice.say("before"))["type"] == "stored"
            misbehaving = asyncio.create_task(misbehave(voice.socket, lecture.room))
            await serves(servers[0], neighbour)
            assert await voice.end() == code
            await asyncio.gather(misbehaving, return_exceptions=True)
        await serves(servers[0], neighbour)

    stored, told = await lecture.keys(), [text for text in voice.said if text.startswith("flood")]
    assert len(stored) == len(set(stored)) <= 3 + FLOOD / 2
    assert {"before", *told} <= set(stored)


async def test_json_that_is_nested_ten_thousand_deep_is_refused_and_nothing_else_happens(
    servers: list[Server], lecture: Lecture
) -> None:
    """A32: by the room's own answer, after which the client may go on."""
    student = await lecture.student()
    async with lecture.talking(servers[0], student.token) as voice:
        for nonsense in ("[" * 10_000, '{"type":"post","id":1,"room":' + '{"a":' * 3_000, "[" * 5_000 + "]" * 5_000):
            await voice.socket.send_str(nonsense)
            told = await voice.read()
            while told["type"] != "refused":
                told = await voice.read()
            assert (told["problem"], told["status"]) == ("/problems/bad-request", 400)
        await serves(servers[0], voice)


async def test_connection_ends_with_its_token(servers: list[Server], lecture: Lecture, people: People) -> None:
    """A33: within five seconds, and it is told that it expired."""
    student = await lecture.student()
    began = time.monotonic()
    async with lecture.talking(servers[0], await people.expiring(LIFE, student.user)) as voice:
        await serves(servers[0], voice)
        assert await voice.end() == CloseCode.EXPIRED

    assert LIFE - 1 <= time.monotonic() - began <= LIFE + LIMIT


async def test_connection_that_is_renewed_outlives_its_token(
    servers: list[Server], lecture: Lecture, people: People
) -> None:
    """A33: by a ticket that another process gave out, on the connection itself."""
    student = await lecture.student()
    async with lecture.talking(servers[0], await people.expiring(LIFE, student.user)) as voice:
        fresh = Client(servers[1].url, token=student.token)
        ticket = (await fresh.call("POST", TICKETS, expect=201))["ticket"]
        await fresh.close()
        await voice.socket.send_json({"type": "authenticate", "ticket": ticket})
        while (told := await voice.read())["type"] != "authenticated":
            pass
        assert told["expires_in"] > LIFE + LIMIT
        await asyncio.sleep(LIFE + LIMIT)

        await serves(servers[0], voice)


async def test_connection_is_not_renewed_for_somebody_else(
    servers: list[Server], lecture: Lecture, people: People
) -> None:
    """A33: another person's ticket changes nothing, and the token ends when it does."""
    student = await lecture.student()
    async with lecture.talking(servers[0], await people.expiring(LIFE, student.user)) as voice:
        stranger = Client(servers[0].url, token=await people.token(user=new_id()))
        ticket = (await stranger.call("POST", TICKETS, expect=201))["ticket"]
        await stranger.close()
        await voice.socket.send_json({"type": "authenticate", "ticket": ticket})
        while (told := await voice.read())["type"] != "authentication-refused":
            pass
        assert told["reason"] == "person"
        async with asyncio.timeout(LIFE + LIMIT):
            assert await voice.end() == CloseCode.EXPIRED
