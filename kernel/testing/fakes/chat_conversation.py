"""A conversation with the in-memory `chat/1`: coming into rooms, speaking and hearing."""

from __future__ import annotations

from typing import Final, Protocol
from uuid import UUID

import msgspec

from kernel import Principal, problems
from kernel.contracts import chat_socket as wire
from kernel.contracts.chat import Line, Position, Posted

_decode: Final = msgspec.json.Decoder(wire.FromClient).decode
_encode: Final = msgspec.json.encode


class Rooms(Protocol):
    """What a conversation needs of the rooms."""

    async def enter(self, conversation: InMemoryConversation, room_id: UUID) -> Position:
        """Let it hear what is said from now on; return how far the room goes.

        Raises:
            problems.NotFound: there is no such room, or none for this person.
        """
        ...

    def leave(self, conversation: InMemoryConversation, room_id: UUID) -> None:
        """Let it hear nothing more."""
        ...

    def entries(self, room_id: UUID) -> list[wire.Said]:
        """Return what was said in the room."""
        ...

    async def post(self, room_id: UUID, *, sender: UUID, text: str, client_id: str) -> Posted:
        """Say something."""
        ...


class InMemoryConversation:
    """Hears one client."""

    def __init__(self, rooms: Rooms, person: Principal, line: Line) -> None:
        self.person = person
        self.line = line
        self._rooms = rooms
        self._joined: set[UUID] = set()

    async def received(self, text: bytes) -> None:
        try:
            asked = _decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._tell(wire.refused(None, problems.BadRequest(str(error))))
        if isinstance(asked, wire.Typing):
            return None
        try:
            answer = await self._do(asked)
        except problems.Problem as problem:
            answer = wire.refused(asked.id, problem)
        return self._tell(answer)

    def closed(self, code: int) -> None:
        for room_id in self._joined:
            self._rooms.leave(self, room_id)

    async def _do(self, asked: wire.FromClient) -> msgspec.Struct:
        if isinstance(asked, wire.Join):
            return await self._join(asked)
        if asked.room not in self._joined:
            raise problems.Conflict("Join the room first.")
        if isinstance(asked, wire.Post):
            return await self._post(asked)
        if isinstance(asked, wire.Leave):
            self._joined.discard(asked.room)
            self._rooms.leave(self, asked.room)
            return wire.Done(id=asked.id)
        raise problems.BadRequest("The chat in memory knows joining, leaving and posting alone.")

    async def _join(self, asked: wire.Join) -> wire.Joined:
        reached = await self._rooms.enter(self, asked.room)
        self._joined.add(asked.room)
        recovered = None if asked.epoch is None or asked.offset is None else asked.epoch == reached.epoch
        after = asked.offset or 0 if recovered else 0
        return wire.Joined(
            id=asked.id,
            room=asked.room,
            epoch=reached.epoch,
            offset=reached.offset,
            recovered=recovered,
            entries=tuple(self._rooms.entries(asked.room)[after:]),
            read=0,
            people=1,
            staff=False,
        )

    async def _post(self, asked: wire.Post) -> wire.Stored:
        posted = await self._rooms.post(asked.room, sender=self.person.id, text=asked.text, client_id=asked.client_id)
        return wire.Stored(id=asked.id, room=asked.room, **msgspec.structs.asdict(posted))

    def _tell(self, message: msgspec.Struct) -> None:
        self.line.send(_encode(message))
