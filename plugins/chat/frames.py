"""Entries as clients get them: encoded once, whoever sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from kernel.contracts.chat_socket import Changed, Edited, Entry, Hidden, Reacted, Removed, Said, Sender
from plugins.chat.entries import Kind, LoggedEntry

encode: Final = msgspec.json.Encoder().encode
_decode_said: Final = msgspec.json.Decoder(Said).decode
_decode_edited: Final = msgspec.json.Decoder(Edited).decode


class Encoded(msgspec.Struct, frozen=True, array_like=True):
    """An entry as JSON, as it goes from process to process."""

    offset: int
    kind: Kind
    body: bytes
    target: int | None  #: of an edit or a removal
    concerned: tuple[UUID, ...] | None  #: who sees it beside those who moderate, None for everybody
    hidden: bytes  #: what the others get in its place; empty where it is for everybody

    def seen_by(self, user_id: UUID, *, staff: bool) -> bytes:
        """Return what this person gets of it."""
        if self.concerned is None or staff or user_id in self.concerned:
            return self.body
        return self.hidden


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Entries of one room that follow each other, in their order."""

    room_id: UUID
    epoch: UUID
    entries: list[Encoded]


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """Where a room stands, and the entries that lead up to it."""

    epoch: UUID
    offset: int
    recovered: bool | None  #: whether these are all since the position that was known; None where none was
    entries: Sequence[Encoded]


class _Gap(msgspec.Struct, frozen=True):
    """A `Gap` whose entries are JSON already."""

    epoch: UUID
    offset: int
    recovered: bool
    entries: list[msgspec.Raw]


def encoded(entry: LoggedEntry) -> Encoded:
    """Return *entry* ready to be sent."""
    concerned = entry.concerned()
    hidden = b"" if concerned is None else encode(Hidden(room=entry.room_id, offset=entry.offset, at=entry.at))
    return Encoded(entry.offset, entry.kind, encode(_SHAPES[entry.kind](entry)), entry.target, concerned, hidden)


def changed(old: Encoded, change: Encoded) -> Encoded:
    """Return *old*, a message or an edit of it, as it is after *change*, a later edit or a removal of the message."""
    edit = _decode_edited(change.body) if change.kind == "edited" else None
    text = None if edit is None else edit.text
    if old.kind == "edited":
        return msgspec.structs.replace(old, body=encode(msgspec.structs.replace(_decode_edited(old.body), text=text)))
    said = _decode_said(old.body)
    edited_at = said.edited_at if edit is None else edit.at
    return msgspec.structs.replace(old, body=encode(msgspec.structs.replace(said, text=text, edited_at=edited_at)))


def _sender(entry: LoggedEntry) -> Sender:
    return Sender(id=entry.actor, name=entry.name)


def _said(entry: LoggedEntry) -> Said:
    return Said(
        room=entry.room_id,
        offset=entry.offset,
        at=entry.at,
        sender=_sender(entry),
        client_id=entry.client_id or "",
        text=entry.text,
        audience=entry.audience,
        reply_to=entry.reply_to,
        edited_at=entry.edited_at,
    )


def _edited(entry: LoggedEntry) -> Edited:
    return Edited(room=entry.room_id, offset=entry.offset, at=entry.at, target=entry.target or 0, text=entry.text)


def _removed(entry: LoggedEntry) -> Removed:
    return Removed(room=entry.room_id, offset=entry.offset, at=entry.at, target=entry.target or 0)


def _reacted(entry: LoggedEntry) -> Reacted:
    return Reacted(
        room=entry.room_id,
        offset=entry.offset,
        at=entry.at,
        target=entry.target or 0,
        sender=_sender(entry),
        **(entry.detail or {}),
    )


def _changed(entry: LoggedEntry) -> Changed:
    return Changed(room=entry.room_id, offset=entry.offset, at=entry.at, **(entry.detail or {}))


_SHAPES: Final[Mapping[Kind, Callable[[LoggedEntry], Entry]]] = {
    "message": _said,
    "edited": _edited,
    "removed": _removed,
    "reacted": _reacted,
    "room": _changed,
}


def gap_of(found: Recovered, user_id: UUID, *, staff: bool) -> bytes:
    """Return *found* as a `Gap`, as this person sees it."""
    return encode(_Gap(found.epoch, found.offset, bool(found.recovered), raw(found.entries, user_id, staff=staff)))


def raw(entries: Sequence[Encoded], user_id: UUID, *, staff: bool) -> list[msgspec.Raw]:
    """Return *entries* as this person sees them."""
    return [msgspec.Raw(entry.seen_by(user_id, staff=staff)) for entry in entries]
