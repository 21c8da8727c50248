"""A lecture at a site: a course with its room, and people who talk there over WebSockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from kernel.testing.clients import Client
from tests.faults.shop import PRICE, PURCHASES, Shop, Student
from tests.faults.site import Server

CHAT: Final = "/api/v1/chat"
SOCKET: Final = f"{CHAT}/socket"


class Voice:
    """Somebody in a room."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[bool], room: str) -> None:
        self.socket = socket
        self.room = room
        self.said: list[str] = []  #: by everybody, as far as it was read
        self._number = 0

    async def send(self, kind: str, **members: Any) -> int:
        """Send a message, and return its id."""
        self._number += 1
        message = {"type": kind, "id": self._number, "room": self.room, **members}
        await self.socket.send_str(json.dumps(message, ensure_ascii=False))
        return self._number

    async def ask(self, kind: str, **members: Any) -> Any:
        """Send a message and return the answer to it."""
        number = await self.send(kind, **members)
        while (told := await self.read()).get("id") != number:
            pass
        return told

    async def say(self, text: str, *, key: str | None = None) -> Any:
        """Say *text* and return the answer."""
        return await self.ask("post", client_id=key or text, text=text)

    async def read(self) -> Any:
        """Return the next message; keep what it says."""
        told: dict[str, Any] = await self.socket.receive_json()
        if told["type"] == "message":
            self.said.append(told["text"])
        return told

    async def end(self) -> int | None:
        """Return the code with which the server closes, once it does."""
        async for message in self.socket:
            told = json.loads(message.data)
            if told["type"] == "message":
                self.said.append(told["text"])
        return self.socket.close_code


@dataclass(frozen=True)
class Lecture:
    """A course that is taught, and its room."""

    shop: Shop
    course: str
    room: str

    @classmethod
    async def of(cls, shop: Shop) -> Lecture:
        """Return a new one."""
        course = await shop.course()
        room = await shop.teacher.call("POST", f"{CHAT}/courses/{course}/room")
        return cls(shop, course, room["id"])

    @property
    def messages(self) -> str:
        return f"{CHAT}/rooms/{self.room}/messages"

    async def student(self) -> Student:
        """Return somebody new who has bought the course."""
        student = await self.shop.student(await self.shop.voucher(PRICE))
        await student.call("POST", PURCHASES, {"course_id": self.course}, expect=201)
        return student

    @asynccontextmanager
    async def talking(self, server: Server, token: str | None) -> AsyncIterator[Voice]:
        """Give somebody in the room by *server*."""
        client = Client(server.url, token=token)
        try:
            async with client.ws(SOCKET, max_msg_size=0) as socket:
                voice = Voice(socket, self.room)
                assert (await voice.ask("join"))["type"] == "joined"
                yield voice
        finally:
            await client.close()

    async def keys(self) -> list[str]:
        """Return the client ids of all messages of the room, in their order, as the database has them."""
        query = "SELECT client_id FROM p_chat.entries WHERE room_id = $1 AND kind = 'message' ORDER BY \"offset\""
        return [str(row[0]) for row in await self.shop.site.as_superuser(query, self.room)]
