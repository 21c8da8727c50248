"""An in-memory `chat/1`, and a plugin that provides it where a test leaves the real one out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal
from uuid import UUID

import msgspec

from kernel import Clock, Context, Event, Listener, Manifest, Plugin, Principal, Provide, hookimpl, new_id, problems
from kernel.contracts.chat import CHAT, Line, Message, Position, Posted, Room, RoomClosed, RoomOpened, RoomWasClosed
from kernel.contracts.chat_socket import Said, Sender
from kernel.contracts.courses import COURSE_ACCESS
from kernel.services import Services
from kernel.testing.fakes.chat_conversation import InMemoryConversation


class InMemoryChat:
    """Knows the rooms that were opened, and what was said in them."""

    def __init__(self, clock: Clock, services: Services | None = None) -> None:
        self.events: list[Event] = []
        self._clock = clock
        self._services = services
        self._rooms: dict[UUID, Room] = {}
        self._epochs: dict[UUID, UUID] = {}
        self._said: dict[UUID, list[Message]] = {}
        self._stored: dict[tuple[UUID, UUID, str], Posted] = {}
        self._members: set[tuple[UUID, UUID]] = set()
        self._entries: dict[UUID, list[Said]] = {}
        self._listening: dict[UUID, set[InMemoryConversation]] = {}

    def let_in(self, user_id: UUID, course_id: UUID) -> None:
        """Give the person access to the rooms of the course."""
        self._members.add((user_id, course_id))

    async def open_room(self, *, kind: str, subject: UUID, course_id: UUID, title: str) -> Room:
        found = next((room for room in self._rooms.values() if (room.kind, room.subject) == (kind, subject)), None)
        if found is not None:
            return found
        room = Room(id=new_id(), kind=kind, subject=subject, course_id=course_id, title=title, state="open")
        self._rooms[room.id], self._epochs[room.id], self._said[room.id] = room, new_id(), []
        self._entries[room.id], self._listening[room.id] = [], set()
        facts = {"kind": kind, "subject": subject, "course_id": course_id, "title": title}
        self.events.append(RoomOpened(room_id=room.id, **facts))  # type: ignore[arg-type]
        return room

    async def close_room(self, room_id: UUID) -> None:
        room = self._rooms.get(room_id)
        if room is not None and room.state == "open":
            closed: Literal["closed"] = "closed"
            self._rooms[room_id] = msgspec.structs.replace(room, state=closed)
            self.events.append(RoomWasClosed(room_id=room_id, course_id=room.course_id))

    async def room(self, room_id: UUID) -> Room | None:
        return self._rooms.get(room_id)

    async def position(self, room_id: UUID) -> Position | None:
        if room_id not in self._rooms:
            return None
        return Position(epoch=self._epochs[room_id], offset=len(self._said[room_id]))

    async def post(self, room_id: UUID, *, sender: UUID, text: str, client_id: str) -> Posted:
        room = self._rooms.get(room_id)
        if room is None or not await self._may_enter(sender, room.course_id):
            raise problems.NotFound
        if (before := self._stored.get((room_id, sender, client_id))) is not None:
            return before
        if room.state == "closed":
            raise RoomClosed
        now, said = self._clock.now(), self._said[room_id]
        said.append(Message(offset=len(said) + 1, at=now, sender=sender, name="", text=text))
        stored = Posted(state="posted", at=now, epoch=self._epochs[room_id], offset=len(said))
        self._stored[room_id, sender, client_id] = stored
        self._tell(room_id, said[-1], client_id)
        return stored

    async def messages(self, room_id: UUID, *, after: int = 0, limit: int = 100) -> Sequence[Message]:
        return [one for one in self._said.get(room_id, []) if one.offset > after][:limit]

    async def converse(self, person: Principal, line: Line) -> Listener:
        return InMemoryConversation(self, person, line)

    async def enter(self, conversation: InMemoryConversation, room_id: UUID) -> Position:
        room, reached = self._rooms.get(room_id), await self.position(room_id)
        if room is None or reached is None or not await self._may_enter(conversation.person.id, room.course_id):
            raise problems.NotFound
        self._listening[room_id].add(conversation)
        return Position(epoch=reached.epoch, offset=len(self._said[room_id]))

    def leave(self, conversation: InMemoryConversation, room_id: UUID) -> None:
        self._listening[room_id].discard(conversation)

    def entries(self, room_id: UUID) -> list[Said]:
        return list(self._entries[room_id])

    def _tell(self, room_id: UUID, message: Message, client_id: str) -> None:
        sender = Sender(id=message.sender, name=message.name)
        entry = Said(
            room=room_id,
            offset=message.offset,
            at=message.at,
            sender=sender,
            client_id=client_id,
            text=message.text,
        )
        self._entries[room_id].append(entry)
        for conversation in tuple(self._listening[room_id]):
            conversation.line.send(msgspec.json.encode(entry))

    async def _may_enter(self, user_id: UUID, course_id: UUID) -> bool:
        if (user_id, course_id) in self._members:
            return True
        asked = self._services.all(COURSE_ACCESS) if self._services is not None else ()
        return any([await one.may_open(user_id, course_id) for one in asked])


def _of(ctx: Context[Any]) -> InMemoryChat:
    return InMemoryChat(ctx.clock, ctx.services)


class InMemoryChatPlugin(Plugin):
    """Provides `chat/1` from memory; `deployment.platform.services.get(CHAT)` is the object."""

    manifest: ClassVar[Manifest] = Manifest(name="test-chat", version="1", provides=(CHAT,))

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(CHAT, lambda: contextlib.nullcontext(ctx.own(_of)))
