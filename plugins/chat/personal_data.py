"""What a person said in rooms, and where they stand there.

What was said stands in one place of the log, so it is erased there; rooms in which something was get a new epoch, with
which every process and every client lets go of what it remembers of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, new_id
from kernel.contracts.personal_data import Document, Kept, Receipt, Subject, document
from kernel.database import Command, Query
from plugins.chat.hot import hot_history
from plugins.chat.log import LEAP
from plugins.chat.putting_out import PuttingOut
from plugins.chat.settings import ChatSettings
from plugins.chat.tables import entries, held, members, people, reactions, reports, rooms

PAGE: Final = 1000  # messages in one file


class _Said(msgspec.Struct, frozen=True):
    """A message of the person's."""

    room_id: UUID
    offset: int
    at: datetime
    text: str | None
    audience: str
    removed_at: datetime | None


class _Member(msgspec.Struct, frozen=True):
    """Where the person stands in a room."""

    room_id: UUID
    read_to: int
    muted_until: datetime | None
    banned: bool


class _Sign(msgspec.Struct, frozen=True):
    """A sign that the person put to a message."""

    room_id: UUID
    offset: int
    emoji: str


class _Held(msgspec.Struct, frozen=True):
    """A message that waited for approval."""

    room_id: UUID
    at: datetime
    text: str
    state: str


class _Report(msgspec.Struct, frozen=True):
    """What the person had to say against a message."""

    room_id: UUID
    offset: int
    at: datetime
    reason: str


class _SpokenIn(msgspec.Struct, frozen=True):
    """A room in which the person spoke."""

    id: UUID
    last_offset: int


_PERSON: Final = bindparam("person", type_=sa.Uuid())
_OWN_MESSAGES: Final = (entries.c.actor == _PERSON, entries.c.kind == sa.literal_column("'message'"))


def _of(table: sa.Table, row: type[msgspec.Struct], person: sa.Column[UUID]) -> sa.Select[tuple[object, ...]]:
    return sa.select(*(table.c[name] for name in row.__struct_fields__)).where(person == _PERSON)


_PLACE: Final = sa.tuple_(bindparam("room_id", type_=sa.Uuid()), bindparam("after", type_=sa.BigInteger()))
NAME: Final = Query(sa.select(people.c.display_name).where(people.c.user_id == _PERSON), str)
SAID: Final = Query(
    _of(entries, _Said, entries.c.actor)
    .where(
        _OWN_MESSAGES[1],
        sa.tuple_(entries.c.room_id, entries.c.offset) > _PLACE,
    )
    .order_by(entries.c.room_id, entries.c.offset)
    .limit(PAGE),
    _Said,
)
MEMBER: Final = Query(_of(members, _Member, members.c.user_id).order_by(members.c.room_id), _Member)
SIGNS: Final = Query(_of(reactions, _Sign, reactions.c.user_id).order_by(reactions.c.room_id), _Sign)
HELD: Final = Query(_of(held, _Held, held.c.sender).order_by(held.c.id), _Held)
REPORTED: Final = Query(_of(reports, _Report, reports.c.reporter).order_by(reports.c.id), _Report)

_NAMED: Final = sa.exists().where(people.c.user_id == _PERSON)
_LEGIBLE: Final = entries.c.text.is_not(None)


def _spoken_in(*conditions: sa.ColumnElement[bool]) -> sa.Select[tuple[UUID]]:
    return sa.select(entries.c.room_id).where(entries.c.actor == _PERSON, *conditions)


def _renew(spoken_in: sa.Select[tuple[UUID]]) -> Command:
    """Return the change that gives those rooms another epoch."""
    values = {"epoch": bindparam("new"), "last_offset": rooms.c.last_offset + LEAP}
    return Command(sa.update(rooms).where(rooms.c.id.in_(spoken_in)).values(values))


#: Rooms where something is remembered of the person that is about to be erased: a text, or the name.
RENEW_WITH_TEXTS: Final = _renew(_spoken_in(sa.or_(_LEGIBLE, _NAMED)))
RENEW_WITH_NAME: Final = _renew(_spoken_in(_NAMED))
SPOKEN_IN: Final = Query(sa.select(rooms.c.id, rooms.c.last_offset).where(rooms.c.id.in_(_spoken_in())), _SpokenIn)
ERASE_TEXTS: Final = Command(
    sa.update(entries)
    .where(*_OWN_MESSAGES, _LEGIBLE)
    .values(text=None, removed_at=bindparam("now"), removed_by=_PERSON)
)
ERASE: Final = (
    Command(sa.delete(people).where(people.c.user_id == _PERSON)),
    Command(sa.delete(members).where(members.c.user_id == _PERSON)),
    Command(sa.delete(reactions).where(reactions.c.user_id == _PERSON)),
    Command(sa.delete(held).where(held.c.sender == _PERSON)),
    Command(sa.update(reports).where(reports.c.reporter == _PERSON).values(reason=sa.literal_column("''"))),
)

_ERASED: Final = (
    "your name in rooms, how far you read there, and whether you were muted or put out",
    "signs that you put to messages, your messages that waited for approval, and the words of your reports",
)
_LOG: Final = Kept(
    what="that your number wrote, and when, without the words",
    why="the log of a room can not have holes: by its numbers everybody knows that nothing is missing",
)
_WORDS: Final = Kept(
    what="what you wrote in rooms, under your number, without your name",
    why="the institution keeps what was said in its courses",
)


class ChatPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._db = ctx.db
        self._hot = hot_history(ctx)
        self._putting_out = ctx.own(PuttingOut)
        self._removes = ctx.settings.erased_messages == "remove"

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        person = subject.user_id
        if (name := await self._db.first(NAME, person=person)) is not None:
            yield document("name.json", {"display_name": name})
        queries = {"rooms": MEMBER, "reactions": SIGNS, "held": HELD, "reports": REPORTED}
        for title, query in queries.items():
            if found := await self._db.all(query, person=person):
                yield document(f"{title}.json", found)
        number, place = 1, {"room_id": UUID(int=0), "after": 0}
        while said := await self._db.all(SAID, person=person, **place):
            yield document(f"messages-{number}.json", said)
            number, place = number + 1, {"room_id": said[-1].room_id, "after": said[-1].offset}

    async def erase(self, subject: Subject) -> Receipt:
        person = subject.user_id
        async with self._db.transaction() as session:
            renewal = RENEW_WITH_TEXTS if self._removes else RENEW_WITH_NAME
            renewed = await session.run(renewal, person=person, new=new_id())
            if self._removes:
                await session.run(ERASE_TEXTS, person=person, now=self._ctx.clock.now())
            for erase in ERASE:
                await session.run(erase, person=person)
        # Also where nothing was renewed: something that was under way the first time may have come since.
        for spoken in await self._db.all(SPOKEN_IN, person=person):
            await self._hot.forget(spoken.id, spoken.last_offset)
        if renewed:
            await self._putting_out.logs_renewed()
        if self._removes:
            return Receipt(erased=("what you wrote in rooms", *_ERASED), kept=(_LOG,))
        return Receipt(erased=_ERASED, kept=(_WORDS,))
