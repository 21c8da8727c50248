"""Who is in which room, by whichever process: told by each once a second at most, and forgotten if it dies."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from kernel import Context, new_id
from kernel.contracts.chat_socket import Present, Sender
from plugins.chat.attendance import Attendance
from plugins.chat.frames import encode
from plugins.chat.hub import Hub
from plugins.chat.settings import ChatSettings

TOPIC: Final = "chat.present"
TELL_EVERY: Final = 1.0  # seconds
REPEAT_EVERY: Final = 20  # times of telling, after which what has not changed is told again
FORGET_AFTER: Final = 60.0  # seconds without a word of a process
NAMED_LIMIT: Final = 20  # people who come or go at once and are named


class There(msgspec.Struct, frozen=True, kw_only=True):
    """Who is in a room by one process, and who came and went."""

    process: UUID
    room: UUID
    people: bytes  #: their ids, one behind the other
    joined: tuple[Sender, ...] = ()
    left: tuple[UUID, ...] = ()


class Presence:
    """Counts the people in rooms."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._hub = ctx.own(Hub)
        self._process = new_id()
        self._rooms: dict[UUID, Attendance] = {}
        self._turns = 0

    def people(self, room_id: UUID) -> int:
        """Return how many people are in the room."""
        room = self._rooms.get(room_id)
        return 0 if room is None else len(room)

    def came(self, room_id: UUID, person: Sender) -> None:
        """Take note that *person* is in the room by one connection more."""
        self._room(room_id).came(person)

    def went(self, room_id: UUID, user_id: UUID) -> None:
        """Take note that the person is in the room by one connection less."""
        self._room(room_id).went(user_id)

    async def tell(self) -> None:
        """Tell all processes what is new; and at times also what is not, for those who missed it."""
        self._turns += 1
        self._forget()
        repeat = self._turns % REPEAT_EVERY == 0
        for room_id, room in tuple(self._rooms.items()):
            if room.joined or room.left or (repeat and room.here):
                await self._ctx.events.broadcast(TOPIC, encode(self._there(room_id, room)))

    async def end(self) -> None:
        """Tell that nobody is here any more."""
        for room_id in [room_id for room_id, room in self._rooms.items() if room.here]:
            await self._ctx.events.broadcast(TOPIC, encode(There(process=self._process, room=room_id, people=b"")))

    def hear(self, message: bytes) -> None:
        """Take note of what a process told, this one too, and pass it on to who is in the room."""
        told = msgspec.json.decode(message, type=There)
        room = self._room(told.room)
        if told.process != self._process:
            room.told(told.process, told.people, self._now())
        feed, people = self._hub.feed(told.room), len(room)
        left = tuple(user_id for user_id in told.left if user_id not in room)  # who is there otherwise, is there
        if feed is None or (people == room.shown and not told.joined and not left):
            return
        room.shown = people
        feed.tell(encode(Present(room=told.room, people=people, joined=told.joined, left=left)))

    def _room(self, room_id: UUID) -> Attendance:
        return self._rooms.setdefault(room_id, Attendance())

    def _there(self, room_id: UUID, room: Attendance) -> There:
        """Return what is told of the room, and begin to note what is new."""
        joined, left = tuple(room.joined.values()), tuple(room.left)
        room.joined, room.left = {}, set()
        many = len(joined) + len(left) > NAMED_LIMIT
        return There(
            process=self._process,
            room=room_id,
            people=room.packed(),
            joined=() if many else joined,
            left=() if many else left,
        )

    def _forget(self) -> None:
        earliest = self._now() - FORGET_AFTER
        for room_id, room in tuple(self._rooms.items()):
            room.forget(earliest)
            if room.forgotten:
                del self._rooms[room_id]

    def _now(self) -> float:
        return self._ctx.clock.now().timestamp()
