"""The WebSocket itself: who may open it, what ends it, and that nothing is lost when it breaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import jsonschema_rs
import pytest

from kernel import CloseCode
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from tests.kernel.http.asyncapi_schema import violations
from tests.plugins.chat.classroom import CHAT, Classroom, open_classroom

PATH = f"{CHAT}/socket"


class Wire:
    """A client of the socket."""

    def __init__(self, room: Classroom, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self.room = room
        self.socket = socket
        self.heard: list[Any] = []

    async def send(self, kind: str, **members: Any) -> None:
        await self.socket.send_json({"type": kind, "id": 1, "room": self.room.room, **members})

    async def next(self, *kinds: str) -> Any:
        """Return the next message of one of *kinds*; keep the others."""
        async with asyncio.timeout(20):  # pings keep aiohttp's own from ending
            while True:
                told = await self.socket.receive_json()
                self.heard.append(told)
                if told["type"] in kinds:
                    return told

    async def ask(self, kind: str, **members: Any) -> Any:
        await self.send(kind, **members)
        return await self.next("joined", "stored", "done", "refused")

    async def code(self) -> int | None:
        """Return with which code the server closes."""
        async for _ in self.socket:
            pass
        return self.socket.close_code


@asynccontextmanager
async def talking(room: Classroom, client: Client, **options: Any) -> AsyncIterator[Wire]:
    async with client.ws(PATH, **options) as socket:
        yield Wire(room, socket)


async def test_class_talks(deploy: Deploy) -> None:
    """Two people, a message each, an answer, a correction."""
    room = await open_classroom(deploy)
    async with talking(room, room.student()) as ann, talking(room, room.teacher) as teacher:
        joined = [await one.ask("join") for one in (ann, teacher)]
        stored = await ann.ask("post", client_id="a", text="What is a monad?")
        asked = await teacher.next("message")
        await teacher.ask("post", client_id="b", text="A burrito.", reply_to=asked["offset"])
        answered = await ann.next("message")
        while answered["client_id"] != "b":
            answered = await ann.next("message")
        await teacher.ask("edit", offset=2, text="A monoid.")
        edited = await ann.next("edited")

    assert [one["staff"] for one in joined] == [False, True]
    assert (stored["state"], stored["offset"], asked["text"]) == ("posted", 1, "What is a monad?")
    assert (answered["text"], answered["reply_to"]) == ("A burrito.", 1)
    assert (edited["target"], edited["text"]) == (2, "A monoid.")


async def test_who_comes_back_has_lost_nothing(deploy: Deploy) -> None:
    """However often the connection breaks, while others go on."""
    room = await open_classroom(deploy, settings={"messages_per_room": "10000/second"})
    student, heard, position = room.student(), list[int](), dict[str, Any]()

    async def listen() -> None:
        while len(heard) < 60:
            async with talking(room, student) as wire:
                joined = await wire.ask("join", **position)
                assert joined["recovered"] is not False
                heard.extend(entry["offset"] for entry in joined["entries"])
                for _ in range(7):
                    if len(heard) < 60:
                        heard.append((await wire.next("message"))["offset"])
                position.update(epoch=joined["epoch"], offset=heard[-1] if heard else 0)

    listening = asyncio.create_task(listen())
    speaker = room.student()
    for number in range(60):
        await room.say(speaker, str(number))
    await asyncio.wait_for(listening, 30)

    assert heard == list(range(1, 61))


@pytest.mark.parametrize("origin", ["https://elsewhere.test", "null"])
async def test_page_of_another_site_opens_nothing(deploy: Deploy, origin: str) -> None:
    """A30: before the handshake is answered."""
    room = await open_classroom(deploy)

    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with talking(room, room.student(), headers={"Origin": origin}):
            pass

    assert refused.value.status == 403


async def test_stranger_opens_nothing(deploy: Deploy) -> None:
    """As of any route for those who are signed in."""
    room = await open_classroom(deploy)

    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with talking(room, room.deployment.client()):
            pass

    assert refused.value.status == 401


@pytest.mark.parametrize(
    ("text", "code"),
    [("x" * (1024 * 1024), CloseCode.TOO_BIG), (b"\xff\xfe", CloseCode.UNSUPPORTED)],
)
async def test_message_that_is_none_ends_the_connection(deploy: Deploy, text: str | bytes, code: int) -> None:
    """A32: with a code that says why; others do not notice."""
    room = await open_classroom(deploy)
    async with talking(room, room.student()) as ann, talking(room, room.student()) as bob:
        await bob.ask("join")
        await (ann.socket.send_str(text) if isinstance(text, str) else ann.socket.send_bytes(text))

        assert await ann.code() == code
        assert (await bob.ask("post", client_id="x", text="still here"))["type"] == "stored"


async def test_flood_ends_the_connection(deploy: Deploy) -> None:
    """A32: a thousand messages a second; what was acknowledged before is stored."""
    room = await open_classroom(deploy, settings={"messages_per_room": "10000/second"})
    student = room.student()
    async with talking(room, student) as ann:
        await ann.ask("join")
        for number in range(1000):
            await ann.socket.send_str(
                json.dumps({"type": "post", "id": 2, "room": room.room, "client_id": str(number), "text": "x"})
            )
        stored = []
        async for message in ann.socket:
            told = json.loads(message.data)
            if told["type"] == "stored":
                stored.append(told["offset"])
        assert ann.socket.close_code == CloseCode.TOO_MANY

    assert set(stored) <= {message["offset"] for message in await room.history(student)}


async def test_nonsense_is_refused_and_the_conversation_goes_on(deploy: Deploy) -> None:
    """A32: ten thousand levels of nesting, and no JSON at all."""
    room = await open_classroom(deploy)
    async with talking(room, room.student()) as ann:
        for text in ("[" * 10_000, "nonsense", '{"type":"dance"}'):
            await ann.socket.send_str(text)
            assert (await ann.next("refused"))["problem"] == "/problems/bad-request"

        assert (await ann.ask("join"))["type"] == "joined"


async def test_process_that_stops_says_so_and_loses_nothing(deploy: Deploy) -> None:
    """A39: clients are told to connect again, what was acknowledged is there."""
    room = await open_classroom(deploy)
    student = room.student()
    async with talking(room, student) as ann:
        await ann.ask("join")
        stored = [await ann.ask("post", client_id=str(number), text=str(number)) for number in range(5)]
        enrolled, offers = dict(room.enrollments._enrolled), dict(room.courses._offers)
        stopping = asyncio.create_task(room.deployment.stop())
        code = await ann.code()
        await stopping

    assert code == CloseCode.RESTART
    assert [one["offset"] for one in stored] == [1, 2, 3, 4, 5]
    await room.begin_again(enrolled, offers)
    assert await room.texts(student) == ["0", "1", "2", "3", "4"]


async def test_every_message_fits_the_description(deploy: Deploy) -> None:
    """What is told is what `/api/v1/asyncapi.json` says that it is, and that is a document of AsyncAPI 3."""
    room = await open_classroom(deploy)
    student = room.student()
    document = await student.call("GET", "/api/v1/asyncapi.json")
    assert violations(document) == []
    async with talking(room, student) as ann, talking(room, room.teacher) as teacher:
        for one in (ann, teacher):
            await one.ask("join")
        await ann.ask("post", client_id="a", text="one")
        await ann.ask("post", client_id="b", text="two", audience="staff")
        await ann.ask("edit", offset=1, text="once")
        await ann.ask("react", offset=1, emoji="👍")
        await ann.ask("remove", offset=1)
        await ann.ask("remove", offset=1)
        await room.rules(slow_mode=5)
        await ann.next("room")
        await teacher.socket.send_json({"type": "typing", "room": room.room})
        await ann.next("typing")
        await ann.next("presence")

    (channel,) = document["channels"].values()
    titles = {name: _message(document, reference) for name, reference in channel["messages"].items()}
    for told in ann.heard:
        schema = {"components": document["components"], **titles[told["type"]]["payload"]}
        jsonschema_rs.validate(schema, told)
    assert {told["type"] for told in ann.heard} >= {
        *("joined", "stored", "message", "edited", "reacted", "removed", "done", "refused", "room", "typing"),
        "presence",
    }


def _message(document: Any, reference: dict[str, str]) -> Any:
    found = document
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found
