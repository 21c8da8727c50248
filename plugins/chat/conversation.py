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
from plugins.chat.putting_out import PuttingOut
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standing, Standings
from plugins.chat.typing_signs import TypingSigns

REMEMBERED: Final = timedelta(seconds=60)  # for which it holds where a person stands, if nothing else is told

_decode: Final = msgspec.json.Decoder(wire.FromClient).decode


class _Numbered(msgspec.Struct, frozen=True):
    id: wire.Id


_decode_id: Final = msgspec.json.Decoder(_Numbered).decode


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

    __slots__ = (
        "_answered",
        "_asked",
        "_checked_at",
        "_conversation",
        "room_id",
        "send_frames",
        "standing",
        "typed_at",
    )

    def __init__(self, conversation: Conversation, standing: Standing, checked_at: datetime) -> None:
        self._conversation = conversation
        self.room_id = standing.room.id
        self.standing = standing
        self._checked_at = checked_at
        self._asked = self._answered = 0
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

    def close(self) -> None:
        """Send nothing any more, not even what is on its way."""
        self.send_frames = _ignored

    def asks(self) -> int:
        """Return the number of one more question where the person stands."""
        self._asked += 1
        return self._asked

    def stands(self, standing: Standing, now: datetime, question: int) -> None:
        """Take note of the answer to *question*, unless a later one was answered before: that knows more."""
        if question > self._answered:
            self.standing, self._checked_at, self._answered = standing, now, question


def _ignored(frames: bytes) -> None:
    return


class Workings:
    """What all conversations of a process go by; each of them keeps but one reference."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self.ctx = ctx
        self.hub = ctx.own(Hub)
        self.joining = ctx.own(Joining)
        self.standings = ctx.own(Standings)
        self.posting = ctx.own(posting.Posting)
        self.changing = ctx.own(Changing)
        self.marks = ctx.own(Marks)
        self.presence = ctx.own(Presence)
        self.putting_out = ctx.own(PuttingOut)
        self.typing = ctx.own(TypingSigns)


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

    __slots__ = ("_by", "_over", "_seats", "_signed_in", "connection")

    def __init__(self, ctx: Context[ChatSettings], connection: Line, person: Principal) -> None:
        self.connection = connection
        self._signed_in = person
        self._by = ctx.own(Workings)
        self._seats: tuple[Seat, ...] = ()  # mostly one: a dictionary would be the largest part of an idle client
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
            return self._refuse(_id_of(text), problems.BadRequest(str(error)))
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
        for seat in self._seats:
            self._leave(seat.room_id)

    def reconsider(self, seat: Seat) -> None:
        """Find out anew where the person stands; never waits."""
        self._by.ctx.tasks.start(self._reconsider(seat), name="looking anew who may be in a room")

    async def join(self, asked: wire.Join) -> None:
        """Go into a room; the answer goes out before anything that happens there later."""
        if len(self._seats) >= self._by.ctx.settings.rooms_per_connection and self._seat(asked.room) is None:
            raise problems.Conflict("This connection is in as many rooms as it may be.")
        heard = self._by.putting_out.heard
        standing = await self._by.standings.of(self._person, asked.room)
        self._leave(asked.room)
        seat = Seat(self, standing, self._by.ctx.clock.now())
        found = await self._by.joining.join(asked.room, _position(asked), seat)
        if self._over:
            self._by.hub.leave(asked.room, seat)
            return
        self._seats += (seat,)
        self.connection.send(encode(self._joined(asked, standing, found)))
        self._by.presence.came(asked.room, wire.Sender(id=standing.user_id, name=standing.name))
        if self._by.putting_out.heard != heard:  # it may have been about this person, who was not in the room yet
            self.reconsider(seat)

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
        posted = await self._by.posting.post(await self._standing(asked.room), message)
        return wire.Stored(id=asked.id, room=asked.room, **msgspec.structs.asdict(posted))

    async def edit(self, asked: wire.Edit) -> wire.Done:
        """Say something else."""
        await self._by.changing.edit(await self._standing(asked.room), asked.offset, asked.text)
        return wire.Done(id=asked.id)

    async def remove(self, asked: wire.Remove) -> wire.Done:
        """Take one's own message back. Others' are taken away over HTTP, where it is recorded from where."""
        standing = await self._standing(asked.room)
        await self._by.changing.remove(msgspec.structs.replace(standing, staff=False), asked.offset)
        return wire.Done(id=asked.id)

    async def react(self, asked: wire.React) -> wire.Done:
        """Put a sign to a message, or take it off."""
        await self._by.changing.react(await self._standing(asked.room), asked.offset, asked.emoji, on=asked.on)
        return wire.Done(id=asked.id)

    async def read(self, asked: wire.Read) -> wire.Done:
        """Say up to where one has read."""
        await self._by.marks.read(await self._standing(asked.room), asked.offset)
        return wire.Done(id=asked.id)

    async def _is_typing(self, asked: wire.Typing) -> None:
        seat = self._seat(asked.room)
        if seat is not None:
            await self._by.typing.tell(seat)

    async def _standing(self, room_id: UUID) -> Standing:
        """Return where the person stands in a room that was joined.

        Raises:
            problems.Conflict: it was not.
        """
        seat = self._seat(room_id)
        if seat is None:
            raise problems.Conflict("Join the room first.")
        now = self._by.ctx.clock.now()
        if now - seat.checked_at > REMEMBERED:
            question = seat.asks()
            seat.stands(await self._by.standings.of(self._person, room_id), now, question)
        return seat.standing

    async def _reconsider(self, seat: Seat) -> None:
        question = seat.asks()
        try:
            standing = await self._by.standings.of(self._person, seat.room_id)
        except (problems.NotFound, problems.Forbidden):
            if seat in self._seats:
                self._leave(seat.room_id)
                self.connection.send(encode(wire.Gone(room=seat.room_id)))
            return
        except errors.LyceumError:  # not now: it is looked again later
            return
        before = seat.standing
        seat.stands(standing, self._by.ctx.clock.now(), question)
        feed = self._by.hub.feed(seat.room_id)
        if before.staff != seat.standing.staff and feed is not None:  # what was hidden is not, or the other way
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
            people=self._by.presence.people(asked.room),
            staff=standing.staff,
        )

    def _seat(self, room_id: UUID) -> Seat | None:
        return next((seat for seat in self._seats if seat.room_id == room_id), None)

    def _leave(self, room_id: UUID) -> None:
        seat = self._seat(room_id)
        if seat is not None:
            self._seats = tuple(other for other in self._seats if other is not seat)
            seat.close()
            self._by.hub.leave(room_id, seat)
            self._by.presence.went(room_id, seat.user_id)

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


def _id_of(text: bytes) -> int | None:
    """Return the id of a message that can not be read otherwise, None where it has none."""
    try:
        return _decode_id(text).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _position(asked: wire.Join) -> Position | None:
    if asked.epoch is None or asked.offset is None:
        return None
    return Position(epoch=asked.epoch, offset=asked.offset)
