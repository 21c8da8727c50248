"""The messages of the chat's WebSocket, `/api/v1/chat/socket`: one JSON object each, told apart by `type`.

A client joins rooms, with the position that it knows of each if it was there before, and then gets every entry of
their logs in order. It finds what it missed by counting: the offset of each entry is one more than that of the one
before. `hidden` stands for an entry that is not for it, and `reset` says that the log is another one: join anew.
What a client asks bears an `id` of its choice, and so does the answer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec

from kernel import problems
from kernel.contracts.chat import Audience

PATH: Final = "/socket"  #: below the mount of `chat/1`
TEXT_LIMIT: Final = 4000  # characters of one message
MENTIONS: Final = 10  # people named in one message

Id = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1, description="Chosen by the client; the answer bears it")]
ClientId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$(?!\n)")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_LIMIT, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
Offset = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
#: No letter and no digit of any script: with those, a sign would say what no filter and nobody who moderates has seen.
Emoji = Annotated[str, msgspec.Meta(min_length=1, max_length=16, pattern=r"^[^\w\s\x00-\x7f]+$(?!\n)")]


class _Asked(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    id: Id
    room: UUID


class Join(_Asked, frozen=True, kw_only=True, tag="join"):
    """Come into a room; with the position up to which it is known, to get exactly what came after."""

    epoch: UUID | None = None
    offset: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)] | None = None


class Leave(_Asked, frozen=True, kw_only=True, tag="leave"):
    """Go out of a room."""


class Post(_Asked, frozen=True, kw_only=True, tag="post"):
    """Say something. Send it again under the same `client_id` until it is acknowledged: it is stored once."""

    client_id: ClientId
    text: Text
    audience: Audience = "room"
    reply_to: Offset | None = None
    mentions: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=MENTIONS)] = ()


class Edit(_Asked, frozen=True, kw_only=True, tag="edit"):
    """Say something else in the place of one's own message."""

    offset: Offset
    text: Text


class Remove(_Asked, frozen=True, kw_only=True, tag="remove"):
    """Take one's own message back. Others' are taken away over HTTP."""

    offset: Offset


class React(_Asked, frozen=True, kw_only=True, tag="react"):
    """Put a sign to a message, or take it off."""

    offset: Offset
    emoji: Emoji
    on: bool = True


class Read(_Asked, frozen=True, kw_only=True, tag="read"):
    """Say up to where one has read; it never goes back."""

    offset: Offset


class Typing(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="typing", forbid_unknown_fields=True):
    """Somebody is writing. Nothing answers it, and it may be lost. The server names who it is."""

    room: UUID
    user_id: UUID | None = None
    name: str = ""


#: What a client sends.
FromClient = Join | Leave | Post | Edit | Remove | React | Read | Typing


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who did something."""

    id: UUID
    name: str  #: empty where nobody knows it


class _Entry(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    room: UUID
    offset: int
    at: datetime


class Said(_Entry, frozen=True, kw_only=True, tag="message", omit_defaults=True):
    """A message, with the text that it has now; without one, it was removed."""

    sender: Sender
    client_id: str
    text: str | None = None
    audience: Audience = "room"
    reply_to: int | None = None
    edited_at: datetime | None = None


class Edited(_Entry, frozen=True, kw_only=True, tag="edited"):
    """The message at `target` has another text; None where it was removed since."""

    target: int
    text: str | None


class Removed(_Entry, frozen=True, kw_only=True, tag="removed"):
    """The message at `target` is gone."""

    target: int


class Reacted(_Entry, frozen=True, kw_only=True, tag="reacted"):
    """Somebody put a sign to the message at `target`, or took it off."""

    target: int
    sender: Sender
    emoji: str
    on: bool


class Changed(_Entry, frozen=True, kw_only=True, tag="room"):
    """The rules of the room are others now."""

    state: Literal["open", "closed"]
    slow_mode: int  #: seconds between two messages of one person; 0 for none
    approval: bool  #: whether messages wait for approval


class Hidden(_Entry, frozen=True, kw_only=True, tag="hidden"):
    """Something that is not for this client; only that its offset is taken matters."""


#: What stands in a room's log.
Entry = Said | Edited | Removed | Reacted | Changed | Hidden


class Joined(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="joined"):
    """The client is in the room, at this position; `entries` lead up to it."""

    id: int
    room: UUID
    epoch: UUID
    offset: int
    #: True: `entries` are all that came after the client's position. False: they are the last ones, and there may be a
    #: gap before them; forget what was known and read the history. None: the client knew no position.
    recovered: bool | None
    entries: tuple[Entry, ...]
    read: int  #: up to where the person has read
    people: int  #: in the room now
    staff: bool  #: whether the person moderates it


class Stored(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="stored"):
    """What the client sent is stored: as the entry at `offset`, or among those that wait for approval."""

    id: int
    room: UUID
    state: Literal["posted", "held"]
    at: datetime
    epoch: UUID | None = None
    offset: int | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="done"):
    """What was asked is done."""

    id: int


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="refused"):
    """What was asked is not done; the members are those of a problem document."""

    id: int | None  #: None where not even that could be read
    problem: str
    status: int
    title: str
    detail: str = ""
    retry_after: int | None = None  #: seconds


def refused(asked: int | None, problem: problems.Problem) -> Refused:
    """Return *problem* as the answer to the message *asked*."""
    wait = problem.headers.get("Retry-After")
    return Refused(
        id=asked,
        problem=f"/problems/{problem.type}",
        status=problem.status,
        title=problem.title,
        detail=problem.detail,
        retry_after=None if wait is None else int(wait),
    )


class Present(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="presence"):
    """How many people are in the room; and who came and went, where they are not too many. It may be lost."""

    room: UUID
    people: int
    joined: tuple[Sender, ...] = ()
    left: tuple[UUID, ...] = ()


class Reset(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reset"):
    """The room's log is another one, or the client may see another part of it: join anew."""

    room: UUID
    epoch: UUID


class Gone(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="gone"):
    """The client is out of the room: access ended, or somebody put the person out."""

    room: UUID


#: What the server sends.
FromServer = (
    Joined
    | Stored
    | Done
    | Refused
    | Said
    | Edited
    | Removed
    | Reacted
    | Changed
    | Hidden
    | Present
    | Typing
    | Reset
    | Gone
)
