"""The routes by which people read and write in rooms."""

from __future__ import annotations

from uuid import UUID

import msgspec

from kernel import Context, Encoded, Page, PageQuery, Request, problems
from kernel.contracts.audit import act
from kernel.contracts.chat import Position, Posted, Room
from kernel.contracts.chat_http import (
    Gap,
    MessageView,
    NewMessage,
    NewText,
    OwnHeld,
    OwnRoom,
    ReadMark,
    RoomHere,
    Since,
    WithReason,
)
from kernel.contracts.chat_socket import Emoji
from kernel.contracts.courses import COURSES
from plugins.chat import posting
from plugins.chat.changing import Changing
from plugins.chat.frames import gap_of
from plugins.chat.holding import Holding
from plugins.chat.log import Log
from plugins.chat.marks import Marks
from plugins.chat.moderating import Moderating
from plugins.chat.presence import Presence
from plugins.chat.reading import Reading
from plugins.chat.rooms import COURSE, Rooms
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standing, Standings


class MembersApi:
    """Answers those who are in a room."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._rooms = ctx.own(Rooms)
        self._log = ctx.own(Log)
        self._standings = ctx.own(Standings)
        self._posting = ctx.own(posting.Posting)
        self._changing = ctx.own(Changing)
        self._reading = ctx.own(Reading)
        self._holding = ctx.own(Holding)
        self._marks = ctx.own(Marks)
        self._moderating = ctx.own(Moderating)
        self._presence = ctx.own(Presence)

    async def course_room(self, request: Request, course_id: UUID) -> Room:
        """Show the room of a course, for those who have access to it or teach it; the first who comes opens it."""
        offer = await self._ctx.services.get(COURSES).offer(course_id)
        if offer is None or not await self._standings.may_enter(request.principal, course_id):
            raise problems.NotFound
        room = await self._rooms.open(kind=COURSE, subject=course_id, course_id=course_id, title=offer.title)
        return room.shown()

    async def rooms(self, request: Request, query: PageQuery) -> Page[OwnRoom]:
        """List the rooms that the caller has been in, with how far they go and how far the caller has read."""
        return await self._reading.own_rooms(request.principal.id, query)

    async def room(self, request: Request, room_id: UUID) -> RoomHere:
        """Show a room, and where the caller stands in it."""
        standing = await self._standing(request, room_id)
        reached = await self._log.reached(room_id)
        if reached is None:
            raise problems.NotFound
        return RoomHere(
            **msgspec.structs.asdict(standing.room),
            epoch=reached.epoch,
            last_offset=reached.last_offset,
            read_to=standing.read_to,
            staff=standing.staff,
            muted_until=standing.muted_until,
            people=self._presence.people(room_id),
        )

    async def history(self, request: Request, room_id: UUID, query: PageQuery) -> Page[MessageView]:
        """List what was said, the newest first, as it stands now."""
        return await self._reading.history(await self._standing(request, room_id), query)

    async def since(self, request: Request, room_id: UUID, query: Since) -> Encoded[Gap]:
        """Show exactly what happened after a position, or say that it can not be told."""
        standing = await self._standing(request, room_id)
        found = await self._reading.since(standing, Position(epoch=query.epoch, offset=query.offset))
        return Encoded(gap_of(found, standing.user_id, staff=standing.staff))

    async def own_held(self, request: Request, room_id: UUID, query: PageQuery) -> Page[OwnHeld]:
        """List the caller's messages that were held, the newest first: whether they wait, came in or were refused."""
        standing = await self._standing(request, room_id)
        return await self._holding.own(room_id, standing.user_id, query)

    async def post(self, request: Request, room_id: UUID, body: NewMessage) -> Posted:
        """Say something. What is answered is stored; sent again under the same client id, it is stored once."""
        standing = await self._standing(request, room_id)
        message = posting.NewMessage(**msgspec.structs.asdict(body))
        return await self._posting.post(standing, message)

    async def edit(self, request: Request, room_id: UUID, offset: int, body: NewText) -> None:
        """Say something else in the place of one's own message."""
        await self._changing.edit(await self._standing(request, room_id), offset, body.text)

    async def remove(self, request: Request, room_id: UUID, offset: int) -> None:
        """Take one's own message back: from every history, and from every export."""
        standing = await self._standing(request, room_id)
        await self._changing.remove(
            standing,
            offset,
            lambda target: act(request, "chat.remove", f"room:{room_id}", before=target.facts(), about=target.actor),
        )

    async def react(self, request: Request, room_id: UUID, offset: int, emoji: str) -> None:
        """Put a sign to a message."""
        await self._changing.react(await self._standing(request, room_id), offset, _emoji(emoji), on=True)

    async def take_back(self, request: Request, room_id: UUID, offset: int, emoji: str) -> None:
        """Take a sign off a message."""
        await self._changing.react(await self._standing(request, room_id), offset, _emoji(emoji), on=False)

    async def read(self, request: Request, room_id: UUID, body: ReadMark) -> None:
        """Say up to where one has read; it never goes back."""
        await self._marks.read(await self._standing(request, room_id), body.offset)

    async def report(self, request: Request, room_id: UUID, offset: int, body: WithReason) -> None:
        """Tell those who moderate of a message."""
        await self._moderating.report(await self._standing(request, room_id), offset, body.reason)

    async def _standing(self, request: Request, room_id: UUID) -> Standing:
        return await self._standings.of(request.principal, room_id)


def _emoji(text: str) -> str:
    try:
        return msgspec.convert(text, Emoji)
    except msgspec.ValidationError as error:
        message = "is no sign; use one emoji such as '👍'"
        raise problems.Invalid(fields=[problems.FieldError("path.emoji", message)]) from error
