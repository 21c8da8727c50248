"""`chat/1`: rooms in which those who take a course talk, in an order that is the same for all.

Each room has a log. What happens in it is an entry with an offset, one greater than that of the entry before; who knows
the offset up to which they have seen it can tell whether they miss anything. Offsets hold within an epoch: a room gets
a new one when its log is not the one that was there before, as after a restore from a backup. An offset is never given
twice. What clients see over WebSockets is in `chat_socket`, over HTTP in `chat_http`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Final, Literal, Protocol
from uuid import UUID

import msgspec

from kernel import Event, Listener, Personal, Principal, problems
from kernel.capabilities import Capability, Contribution

#: Who sees a message: everybody in the room, or those who teach and whoever it is from or answers.
Audience = Literal["room", "staff"]


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """A place to talk, open to whoever has access to its course."""

    id: UUID
    kind: str  #: `course`, or what the plugin that opened it calls its own
    subject: UUID  #: what it is about: the course itself, a live class …
    course_id: UUID
    title: str
    state: Literal["open", "closed"]  #: in a closed one everything can be read, and nothing said


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a room's log goes."""

    epoch: UUID
    offset: int  #: of the last entry; 0 before the first


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said, as it stands now."""

    offset: int
    at: datetime
    sender: UUID
    name: str  #: the sender's, empty where nobody knows it
    text: str
    audience: Audience = "room"
    reply_to: int | None = None  #: the offset of the message that it answers
    edited_at: datetime | None = None


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message: it is stored, in the log or among those that wait for approval."""

    state: Literal["posted", "held"]
    at: datetime
    epoch: UUID | None = None  #: None of one that is held
    offset: int | None = None


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is about to be stored."""

    room_id: UUID
    course_id: UUID
    sender: UUID
    text: str
    audience: Audience


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a filter says of a draft."""

    action: Literal["pass", "hold", "drop", "redact"]
    text: str = ""  #: what takes the place of a draft that is redacted
    reason: str = ""  #: why, for whoever moderates; who sent a dropped one is shown it too


class RoomClosed(problems.Problem):
    """Nothing is said in the room any more; nothing was stored."""

    type, status, title = "room-closed", 409, "The room is closed"


class Silenced(problems.Problem):
    """The person may not speak in the room for now; the member `until` says how long. Nothing was stored."""

    type, status, title = "silenced", 403, "You may not write in this room now"


class TooSoon(problems.Problem):
    """The person, or the room, is over a limit; `Retry-After` says when to come back. Nothing was stored."""

    type, status, title = "too-soon", 429, "Wait a moment before you write again"


class MessageRefused(problems.Problem):
    """A filter dropped the message; nothing was stored."""

    type, status, title = "message-refused", 422, "This message was not taken"


class RoomOpened(Event, frozen=True, kw_only=True):
    """There is a room more."""

    name: ClassVar[str] = "chat.room_opened.v1"
    key: ClassVar[str] = "room_id"
    room_id: UUID
    kind: str
    subject: UUID
    course_id: UUID
    title: str


class RoomWasClosed(Event, frozen=True, kw_only=True):
    """Nothing more is said in a room."""

    name: ClassVar[str] = "chat.room_closed.v1"
    key: ClassVar[str] = "room_id"
    room_id: UUID
    course_id: UUID


class MemberMentioned(Event, frozen=True, kw_only=True):
    """Somebody was named in a message that they may see."""

    name: ClassVar[str] = "chat.member_mentioned.v1"
    key: ClassVar[str] = "user_id"
    concerns: ClassVar[str] = "user_id"
    personal: ClassVar[Personal] = {"author": {"excerpt": ""}}
    user_id: UUID
    room_id: UUID
    course_id: UUID
    offset: int
    author: UUID
    excerpt: str  #: how the message begins


class MessageAnswered(Event, frozen=True, kw_only=True):
    """Somebody else answered a person's message."""

    name: ClassVar[str] = "chat.message_answered.v1"
    key: ClassVar[str] = "user_id"
    concerns: ClassVar[str] = "user_id"
    personal: ClassVar[Personal] = {"author": {"excerpt": ""}}
    user_id: UUID  #: whose message was answered
    room_id: UUID
    course_id: UUID
    offset: int  #: of the answer
    reply_to: int
    author: UUID
    excerpt: str


class MessageRemoved(Event, frozen=True, kw_only=True):
    """A message is gone: drop what was made of it."""

    name: ClassVar[str] = "chat.message_removed.v1"
    key: ClassVar[str] = "room_id"
    room_id: UUID
    course_id: UUID
    offset: int


class Line(Protocol):
    """How a conversation reaches its client: whoever has the connection makes one of it."""

    @property
    def principal(self) -> Principal | None:
        """Who is signed in by it, another object once that was renewed; None for whoever the conversation is with."""
        ...

    def send(self, message: bytes) -> None:
        """Send one message of `chat_socket`; never waits, and parts from a client that does not take it."""
        ...


class Chat(Protocol):
    """Keeps rooms, and what is said in them."""

    async def open_room(self, *, kind: str, subject: UUID, course_id: UUID, title: str) -> Room:
        """Return the room of this *kind* about *subject*, opened now if there is none; safe to repeat and to race."""
        ...

    async def close_room(self, room_id: UUID) -> None:
        """Let nothing more be said in the room; what was said stays. Safe to repeat; does nothing without a room."""
        ...

    async def room(self, room_id: UUID) -> Room | None:
        """Return the room, None when there is none."""
        ...

    async def position(self, room_id: UUID) -> Position | None:
        """Return how far the room's log goes, None when there is no room."""
        ...

    async def post(self, room_id: UUID, *, sender: UUID, text: str, client_id: str) -> Posted:
        """Say *text* to the room as *sender*, who must have access; what is returned is stored.

        A *client_id* is used once by each sender in each room: repeated, it stores nothing and returns what was
        returned the first time.

        Raises:
            problems.NotFound: there is no such room, or none for this person.
            RoomClosed, Silenced, TooSoon, MessageRefused: nothing was stored.
        """
        ...

    async def messages(self, room_id: UUID, *, after: int = 0, limit: int = 100) -> Sequence[Message]:
        """Return what was said to everybody behind the offset *after*, in order, without what was removed."""
        ...

    async def converse(self, person: Principal, line: Line) -> Listener:
        """Return what hears *person*, as the chat's own WebSocket would: for a client that comes by another transport.

        It takes and sends the messages of `chat_socket`, each as JSON. `received` is called with one after another,
        as they come, and sends the answer before it returns; what happens in the rooms comes in between. `closed` has
        to be called once, after the last `received` has ended.
        """
        ...


class ChatFilter(Protocol):
    """Looks at each message before it is stored. An exception or a hang holds it for whoever moderates."""

    async def judge(self, draft: Draft) -> Judgement:
        """Return what is to become of *draft*, which bears what filters before have put in its place."""
        ...


CHAT: Final[Capability[Chat]] = Capability("chat", 1)
CHAT_FILTER: Final[Contribution[ChatFilter]] = Contribution("chat_filter", 1)
