"""One client of the chat's WebSocket: what it asks, done one after another, and what it is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from kernel import Context, Principal, errors, problems
from kernel.contracts import chat_socket as wire
from kernel.contracts.chat import Position
from plugins.chat import posting
from plugins.chat.changing import Changing
from plugins.chat.frames import Recovered, encode, raw
from plugins.chat.hub import Hub
from plugins.chat.joining import Joining
from plugins.chat.marks import Marks
from plugins.chat.presence import Presence
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standing, Standings
from plugins.chat.typing_signs import TypingSigns

REMEMBERED: Final = timedelta(seconds=60)  # for which it holds where a person stands, if nothing else is told

_decode: Final = msgspec.json.Decoder(wire.FromClient).decode


class Line(Protocol):
    """What is needed of a connection."""

    @property
    def principal(self) -> Principal | None:
        """Who is signed in; another object once the client has renewed it."""
        ...

    def send(self, message: bytes) -> None:
        """Send one message."""
        ...

    def send_frames(self, frames: bytes) -> None:
        """Send what is framed already."""
        ...


class Seat:
    """The place of one connection in one room; a `Member` of its feed."""

    __slots__ = ("_checked_at", "_conversation", "room_id", "send_frames", "standing", "typed_at")

    def __init__(self, conversation: Conversation, standing: Standing, checked_at: datetime) -> None:
        self._conversation = conversation
        self.room_id = standing.room.id
        self.standing = standing
        self._checked_at = checked_at
        self.typed_at: datetime | None = None
        self.send_frames = conversation.connection.send_frames  # once for each entry: without a call in between

    @property
    def user_id(self) -> UUID:
        return self.standing.user_id

    @property
    def staff(self) -> bool:
        return self.standing.staff

    @property
    def checked_at(self) -> datetime:
        return self._checked_at

    def reconsider(self) -> None:
        self._conversation.reconsider(self)

    def stands(self, standing: Standing, now: datetime) -> None:
        """Take note of where the person stands now."""
        self.standing, self._checked_at = standing, now


class _Joined(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="joined"):
    """A `Joined` whose entries are JSON already."""

    id: int
    room: UUID
    epoch: UUID
    offset: int
    recovered: bool | None
    entries: list[msgspec.Raw]
    read: int
    people: int
    staff: bool


class Conversation:
    """What goes on with one client. It asks one thing after another; what is told comes in between."""

    def __init__(self, ctx: Context[ChatSettings], connection: Line, person: Principal) -> None:
        self.connection = connection
        self._ctx = ctx
        self._signed_in = person
        self._hub = ctx.own(Hub)
        self._joining = ctx.own(Joining)
        self._standings = ctx.own(Standings)
        self._posting = ctx.own(posting.Posting)
        self._changing = ctx.own(Changing)
        self._marks = ctx.own(Marks)
        self._presence = ctx.own(Presence)
        self._typing = ctx.own(TypingSigns)
        self._seats: dict[UUID, Seat] = {}
        self._over = False

    @property
    def _person(self) -> Principal:
        """Who it is; with other permissions, perhaps, since the connection was renewed."""
        return self.connection.principal or self._signed_in

    async def received(self, text: bytes) -> None:
        """Do what a message asks, and answer it."""
        try:
            asked = _decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._refuse(None, problems.BadRequest(str(error)))
        if isinstance(asked, wire.Typing):
            return await self._is_typing(asked)
        try:
            answer = await _ACTIONS[type(asked)](self, asked)
        except problems.Problem as problem:
            self._refuse(asked.id, problem)
        except errors.DatabaseUnavailable:
            self._refuse(asked.id, problems.Unavailable("Try again."))
        else:
            if answer is not None:
                self.connection.send(encode(answer))
        return None

    def closed(self, code: int) -> None:
        """Leave every room."""
        self._over = True
        for room_id in tuple(self._seats):
            self._leave(room_id)

    def reconsider(self, seat: Seat) -> None:
        """Find out anew where the person stands; never waits."""
        self._ctx.tasks.start(self._reconsider(seat), name="looking anew who may be in a room")

    async def join(self, asked: wire.Join) -> None:
        """Go into a room; the answer goes out before anything that happens there later."""
        if len(self._seats) >= self._ctx.settings.rooms_per_connection and asked.room not in self._seats:
            raise problems.Conflict("This connection is in as many rooms as it may be.")
        standing = await self._standings.of(self._person, asked.room)
        self._leave(asked.room)
        seat = Seat(self, standing, self._ctx.clock.now())
        found = await self._joining.join(asked.room, _position(asked), seat)
        if self._over:
            self._hub.leave(asked.room, seat)
            return
        self._seats[asked.room] = seat
        self.connection.send(encode(self._joined(asked, standing, found)))
        self._presence.came(asked.room, wire.Sender(id=standing.user_id, name=standing.name))

    async def leave(self, asked: wire.Leave) -> wire.Done:
        """Go out of a room."""
        self._leave(asked.room)
        return wire.Done(id=asked.id)

    async def post(self, asked: wire.Post) -> wire.Stored:
        """Say something."""
        message = posting.NewMessage(
            client_id=asked.client_id,
            text=asked.text,
            audience=asked.audience,
            reply_to=asked.reply_to,
            mentions=asked.mentions,
        )
        posted = await self._posting.post(await self._standing(asked.room), message)
        return wire.Stored(id=asked.id, room=asked.room, **msgspec.structs.asdict(posted))

    async def edit(self, asked: wire.Edit) -> wire.Done:
        """Say something else."""
        await self._changing.edit(await self._standing(asked.room), asked.offset, asked.text)
        return wire.Done(id=asked.id)

    async def remove(self, asked: wire.Remove) -> wire.Done:
        """Take one's own message back. Others' are taken away over HTTP, where it is recorded from where."""
        standing = await self._standing(asked.room)
        await self._changing.remove(msgspec.structs.replace(standing, staff=False), asked.offset)
        return wire.Done(id=asked.id)

    async def react(self, asked: wire.React) -> wire.Done:
        """Put a sign to a message, or take it off."""
        await self._changing.react(await self._standing(asked.room), asked.offset, asked.emoji, on=asked.on)
        return wire.Done(id=asked.id)

    async def read(self, asked: wire.Read) -> wire.Done:
        """Say up to where one has read."""
        await self._marks.read(await self._standing(asked.room), asked.offset)
        return wire.Done(id=asked.id)

    async def _is_typing(self, asked: wire.Typing) -> None:
        seat = self._seats.get(asked.room)
        if seat is not None:
            await self._typing.tell(seat)

    async def _standing(self, room_id: UUID) -> Standing:
        """Return where the person stands in a room that was joined.

        Raises:
            problems.Conflict: it was not.
        """
        seat = self._seats.get(room_id)
        if seat is None:
            raise problems.Conflict("Join the room first.")
        now = self._ctx.clock.now()
        if now - seat.checked_at > REMEMBERED:
            seat.stands(await self._standings.of(self._person, room_id), now)
        return seat.standing

    async def _reconsider(self, seat: Seat) -> None:
        try:
            standing = await self._standings.of(self._person, seat.room_id)
        except (problems.NotFound, problems.Forbidden):
            if self._seats.get(seat.room_id) is seat:
                self._leave(seat.room_id)
                self.connection.send(encode(wire.Gone(room=seat.room_id)))
            return
        except errors.LyceumError:  # not now: it is looked again later
            return
        before = seat.standing
        seat.stands(standing, self._ctx.clock.now())
        feed = self._hub.feed(seat.room_id)
        if before.staff != standing.staff and feed is not None:  # what was hidden is not, or the other way
            self.connection.send(encode(wire.Reset(room=seat.room_id, epoch=feed.epoch)))

    def _joined(self, asked: wire.Join, standing: Standing, found: Recovered) -> _Joined:
        return _Joined(
            id=asked.id,
            room=asked.room,
            epoch=found.epoch,
            offset=found.offset,
            recovered=found.recovered,
            entries=raw(found.entries, standing.user_id, staff=standing.staff),
            read=standing.read_to,
            people=self._presence.people(asked.room),
            staff=standing.staff,
        )

    def _leave(self, room_id: UUID) -> None:
        seat = self._seats.pop(room_id, None)
        if seat is not None:
            self._hub.leave(room_id, seat)
            self._presence.went(room_id, seat.user_id)

    def _refuse(self, asked: int | None, problem: problems.Problem) -> None:
        self.connection.send(encode(wire.refused(asked, problem)))


#: What is done for each kind of message.
_ACTIONS: Final[Mapping[type, Callable[[Conversation, Any], Awaitable[msgspec.Struct | None]]]] = {
    wire.Join: Conversation.join,
    wire.Leave: Conversation.leave,
    wire.Post: Conversation.post,
    wire.Edit: Conversation.edit,
    wire.Remove: Conversation.remove,
    wire.React: Conversation.react,
    wire.Read: Conversation.read,
}


def _position(asked: wire.Join) -> Position | None:
    if asked.epoch is None or asked.offset is None:
        return None
    return Position(epoch=asked.epoch, offset=asked.offset)
