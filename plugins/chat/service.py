"""The provider of `chat/1`."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from kernel import Context, Listener, Principal
from kernel.contracts.chat import Line, Message, Position, Posted, Room
from plugins.chat.conversation import Conversation
from plugins.chat.log import Log
from plugins.chat.posting import NewMessage, Posting
from plugins.chat.reading import Reading
from plugins.chat.rooms import Rooms
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standings
from plugins.chat.unframed import Unframed


class ChatService:
    """Lets other plugins open rooms, and speak and read in them."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._rooms = ctx.own(Rooms)
        self._log = ctx.own(Log)
        self._standings = ctx.own(Standings)
        self._posting = ctx.own(Posting)
        self._reading = ctx.own(Reading)

    async def open_room(self, *, kind: str, subject: UUID, course_id: UUID, title: str) -> Room:
        """Return the room of this kind about *subject*, opened now if there is none."""
        return (await self._rooms.open(kind=kind, subject=subject, course_id=course_id, title=title)).shown()

    async def close_room(self, room_id: UUID) -> None:
        """Let nothing more be said in the room."""
        await self._rooms.close(room_id)

    async def room(self, room_id: UUID) -> Room | None:
        """Return the room, None when there is none."""
        found = await self._rooms.find(room_id)
        return None if found is None else found.shown()

    async def position(self, room_id: UUID) -> Position | None:
        """Return how far the room's log goes."""
        found = await self._log.reached(room_id)
        return None if found is None else Position(epoch=found.epoch, offset=found.last_offset)

    async def post(self, room_id: UUID, *, sender: UUID, text: str, client_id: str) -> Posted:
        """Say *text* to the room as *sender*."""
        standing = await self._standings.of_user(sender, room_id)
        return await self._posting.post(standing, NewMessage(client_id=client_id, text=text))

    async def messages(self, room_id: UUID, *, after: int = 0, limit: int = 100) -> Sequence[Message]:
        """Return what was said to everybody behind the offset *after*."""
        return await self._reading.public(room_id, after, limit)

    async def converse(self, person: Principal, line: Line) -> Listener:
        """Return what hears *person*."""
        return Conversation(self._ctx, Unframed(line), person)
