"""What a provider of `chat/1` serves over HTTP, below `/api/v1/chat`; the WebSocket is in `chat_socket`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from kernel.contracts.chat import Audience, Message
from kernel.contracts.chat_socket import MENTIONS, ClientId, Entry, Offset, Text

Reason = Annotated[str, msgspec.Meta(max_length=500)]


class RoomView(msgspec.Struct, frozen=True, kw_only=True):
    """A room as somebody who is in it sees it."""

    id: UUID
    kind: str
    subject: UUID
    course_id: UUID
    title: str
    state: Literal["open", "closed"]
    slow_mode: int  #: seconds between two messages of one person; 0 for none
    approval: bool  #: whether messages wait for approval
    epoch: UUID
    last_offset: int
    read_to: int  #: up to where the person has read


class OwnRoom(RoomView, frozen=True, kw_only=True):
    """A room that a person has been in."""


class RoomHere(RoomView, frozen=True, kw_only=True):
    """A room, and what the person may do there."""

    staff: bool  #: whether the person moderates it
    muted_until: datetime | None
    people: int  #: in the room now


class MessageView(Message, frozen=True, kw_only=True):
    """A message in the history."""

    client_id: str
    reactions: dict[str, int]
    own_reactions: tuple[str, ...]  #: those among them that the caller put there


class OwnHeld(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the caller that was held, and what became of it."""

    id: UUID
    client_id: str
    text: str  #: empty once it was decided: then it stands in the history, or nowhere
    audience: Audience
    reply_to: int | None
    at: datetime
    state: Literal["waiting", "approved", "refused"]
    offset: int | None  #: of the message that it became


class NewMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants to say; sent again under the same `client_id`, it is stored once."""

    client_id: ClientId
    text: Text
    audience: Audience = "room"
    reply_to: Offset | None = None
    mentions: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=MENTIONS)] = ()


class NewText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to stand in the place of a message."""

    text: Text


class ReadMark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to where somebody has read."""

    offset: Offset


class WithReason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why something is done."""

    reason: Reason = ""


class Since(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The position that somebody knows."""

    epoch: UUID
    offset: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What came after a position; where `recovered` is false nothing is told of it: read the history."""

    epoch: UUID
    offset: int
    recovered: bool
    entries: tuple[Entry, ...]
