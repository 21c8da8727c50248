"""Who is in which room, by whichever process: counted by each, told once a second at most, and forgotten if it dies.

A person who is in a room by two processes counts twice; by two connections of one process once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import msgspec

from kernel import Context, new_id
from kernel.contracts.chat_socket import Present, Sender
from plugins.chat.frames import encode
from plugins.chat.hub import Hub
from plugins.chat.settings import ChatSettings

TOPIC: Final = "chat.presence"
TELL_EVERY: Final = 1.0  # seconds
REPEAT_EVERY: Final = 20  # times of telling, after which what has not changed is told again
FORGET_AFTER: Final = 60.0  # seconds without a word of a process
NAMED_LIMIT: Final = 20  # people who come or go at once and are named


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many people are in a room by one process, and who came and went."""

    process: UUID
    room: UUID
    people: int
    joined: tuple[Sender, ...] = ()
    left: tuple[UUID, ...] = ()


class _News:
    """Who came and went since it was last told."""

    def __init__(self) -> None:
        self.joined: dict[UUID, Sender] = {}
        self.left: set[UUID] = set()

    def came(self, person: Sender) -> None:
        if person.id in self.left:
            self.left.discard(person.id)
        else:
            self.joined[person.id] = person

    def went(self, user_id: UUID) -> None:
        if self.joined.pop(user_id, None) is None:
            self.left.add(user_id)


class Presence:
    """Counts the people in rooms."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._hub = ctx.own(Hub)
        self._process = new_id()
        self._news: dict[UUID, _News] = {}
        self._here: dict[UUID, Counter[UUID]] = {}  # room → person → connections
        self._counts: dict[UUID, dict[UUID, tuple[int, float]]] = {}  # room → process → people, and when it was told
        self._turns = 0

    def people(self, room_id: UUID) -> int:
        """Return how many people are in the room."""
        others = self._counts.get(room_id, {})
        told = sum(people for process, (people, _) in others.items() if process != self._process)
        return told + len(self._here.get(room_id, ()))

    def came(self, room_id: UUID, person: Sender) -> None:
        """Take note that *person* is in the room by one connection more."""
        here = self._here.setdefault(room_id, Counter())
        here[person.id] += 1
        if here[person.id] == 1:
            self._news.setdefault(room_id, _News()).came(person)

    def went(self, room_id: UUID, user_id: UUID) -> None:
        """Take note that the person is in the room by one connection less."""
        here = self._here[room_id]
        here[user_id] -= 1
        if here[user_id] == 0:
            del here[user_id]
            self._news.setdefault(room_id, _News()).went(user_id)
        if not here:
            del self._here[room_id]

    async def tell(self) -> None:
        """Tell all processes what is new; and at times also what is not, for those who missed it."""
        self._turns += 1
        news, self._news = self._news, {}
        self._forget()
        for room_id in (news.keys() | self._here.keys()) if self._turns % REPEAT_EVERY == 0 else news.keys():
            await self._ctx.events.broadcast(TOPIC, encode(self._count(room_id, news.get(room_id) or _News())))

    async def end(self) -> None:
        """Tell that nobody is here any more."""
        for room_id in tuple(self._here):
            count = Count(process=self._process, room=room_id, people=0)
            await self._ctx.events.broadcast(TOPIC, encode(count))

    def hear(self, message: bytes) -> None:
        """Take note of what a process told, this one too, and pass it on to who is in the room."""
        count = msgspec.json.decode(message, type=Count)
        counts = self._counts.setdefault(count.room, {})
        before = counts.get(count.process, (0, 0.0))[0]
        counts[count.process] = (count.people, self._now())
        feed = self._hub.feed(count.room)
        if feed is None or (before == count.people and not count.joined and not count.left):
            return
        told = Present(room=count.room, people=self.people(count.room), joined=count.joined, left=count.left)
        feed.tell(encode(told))

    def _count(self, room_id: UUID, news: _News) -> Count:
        many = len(news.joined) + len(news.left) > NAMED_LIMIT
        return Count(
            process=self._process,
            room=room_id,
            people=len(self._here.get(room_id, ())),
            joined=() if many else tuple(news.joined.values()),
            left=() if many else tuple(news.left),
        )

    def _forget(self) -> None:
        earliest = self._now() - FORGET_AFTER
        self._counts = {room_id: kept for room_id, told in self._counts.items() if (kept := _since(told, earliest))}

    def _now(self) -> float:
        return self._ctx.clock.now().timestamp()


def _since(told: Mapping[UUID, tuple[int, float]], earliest: float) -> dict[UUID, tuple[int, float]]:
    return {process: count for process, count in told.items() if count[1] >= earliest and count[0]}
