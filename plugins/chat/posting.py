"""Saying something in a room: who may, how often, what the filters leave of it; then it is stored, once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, errors, failpoint, problems
from kernel.contracts.chat import (
    Audience,
    Draft,
    MemberMentioned,
    MessageAnswered,
    Posted,
    RoomClosed,
    TooSoon,
)
from kernel.database import Command, Executor, Query, Session
from plugins.chat.entries import NewEntry
from plugins.chat.filtering import Filtering
from plugins.chat.holding import Holding
from plugins.chat.pace import Pace
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standing
from plugins.chat.tables import entries, members
from plugins.chat.writing import Writing

EXCERPT: Final = 200  # characters of a message that others are told
STORED: Final = failpoint("chat.stored")


class NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to say."""

    client_id: str
    text: str
    audience: Audience = "room"
    reply_to: int | None = None
    mentions: Sequence[UUID] = ()


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is to be answered."""

    offset: int
    actor: UUID
    audience: Audience
    recipient: UUID | None
    there: bool  #: whether whose message it is was in the room and was not put out of it


_THERE: Final = sa.exists().where(
    members.c.room_id == entries.c.room_id, members.c.user_id == entries.c.actor, members.c.banned.is_(sa.false())
)
ANSWERED: Final = Query(
    sa.select(
        *(entries.c[name] for name in Answered.__struct_fields__ if name != "there"), _THERE.label("there")
    ).where(
        entries.c.room_id == bindparam("room_id"),
        entries.c.offset == bindparam("offset"),
        entries.c.kind == sa.literal_column("'message'"),
    ),
    Answered,
)
PRESENT: Final = Query(
    sa.select(members.c.user_id).where(
        members.c.room_id == bindparam("room_id"),
        members.c.user_id.in_(bindparam("ids", expanding=True)),
        members.c.banned.is_(sa.false()),
    ),
    UUID,
)
_WROTE: Final = insert(members).values(
    room_id=bindparam("room_id"), user_id=bindparam("user_id"), wrote_at=bindparam("now"), read_to=0, banned=False
)
#: Touches no row where the person wrote after *before*.
TAKE_TURN: Final = Command(
    _WROTE.on_conflict_do_update(
        index_elements=[members.c.room_id, members.c.user_id],
        set_={"wrote_at": _WROTE.excluded.wrote_at},
        where=sa.or_(members.c.wrote_at.is_(None), members.c.wrote_at <= bindparam("before")),
    )
)


class Posting:
    """Stores messages."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._writing = ctx.own(Writing)
        self._filtering = ctx.own(Filtering)
        self._holding = ctx.own(Holding)
        self._by_person = Pace(ctx.settings.messages_per_person, ctx.clock)
        self._by_room = Pace(ctx.settings.messages_per_room, ctx.clock)

    async def post(self, standing: Standing, message: NewMessage) -> Posted:
        """Store *message*, or return what became of it when it came first.

        Raises:
            RoomClosed, Silenced, TooSoon, MessageRefused: nothing was stored.
            problems.Invalid: it answers nothing that the person sees.
        """
        try:
            return await self._post(standing, message)
        except problems.Problem:
            # Who sends again what was stored before is over no limit by that, and no later rule refuses it.
            if (before := await self._before(standing, message)) is not None:
                return before
            raise

    def admit(self, standing: Standing, now: datetime) -> None:
        """Count one more thing that the person does in the room.

        Raises:
            RoomClosed, Silenced, TooSoon: they may not now.
        """
        if standing.room.state == "closed":
            raise RoomClosed
        standing.require_voice(now)
        if standing.staff:
            return
        room_id = standing.room.id
        wait = self._by_person.take((room_id, standing.user_id)) or self._by_room.take(room_id)
        if wait:
            raise too_soon(wait)

    async def _post(self, standing: Standing, message: NewMessage) -> Posted:
        now = self._ctx.clock.now()
        self.admit(standing, now)
        answered = await self._answered(standing, message.reply_to)
        entry = _entry(standing, message, answered, now)
        if standing.room.slow_mode and not standing.staff:
            await self._take_turn(standing, now)
        draft = Draft(
            room_id=entry.room_id,
            course_id=standing.room.course_id,
            sender=entry.actor,
            text=message.text,
            audience=entry.audience,
        )
        verdict = await self._filtering.judge(draft)
        entry = msgspec.structs.replace(entry, text=verdict.text)
        held_for = verdict.held_for or ("approval" if standing.room.approval and not standing.staff else "")
        if held_for:  # what was stored before the rules were these is not held as well
            before = await self._before(standing, message)
            return before or await self._holding.hold(entry, message.mentions, held_for)
        mentioned = await self.mentioned(self._ctx.db, entry, message.mentions)
        return await self.store(standing, entry, answered, mentioned)

    async def store(
        self, standing: Standing, entry: NewEntry, answered: Answered | None, mentioned: Sequence[UUID]
    ) -> Posted:
        """Store *entry*; where it concerns others in particular, with the events that tell them."""
        if mentioned or (answered is not None and answered.actor != entry.actor):
            return await self._store_and_tell(standing, entry, answered, mentioned)
        found = await self._writing.say(entry)
        await STORED()
        return Posted(state="posted", at=found.at, epoch=found.epoch, offset=found.offset)

    async def mentioned(self, db: Executor, entry: NewEntry, ids: Sequence[UUID]) -> list[UUID]:
        """Return those of *ids* who were in the room; nobody learns of it by a message for staff."""
        if not ids or entry.audience != "room":
            return []
        found = await db.all(PRESENT, room_id=entry.room_id, ids=list(ids))
        return [user_id for user_id in found if user_id != entry.actor]

    async def tell(
        self,
        session: Session,
        course_id: UUID,
        entry: NewEntry,
        offset: int,
        answered: Answered | None,
        mentioned: Sequence[UUID],
    ) -> None:
        """Publish whom the message at *offset* concerns."""
        facts = {
            "room_id": entry.room_id,
            "course_id": course_id,
            "offset": offset,
            "author": entry.actor,
            "excerpt": (entry.text or "")[:EXCERPT],
        }
        for user_id in mentioned:
            await self._ctx.events.publish(session, msgspec.convert({"user_id": user_id, **facts}, MemberMentioned))
        if answered is not None and answered.there and answered.actor not in (entry.actor, *mentioned):
            told = {"user_id": answered.actor, "reply_to": answered.offset, **facts}
            await self._ctx.events.publish(session, msgspec.convert(told, MessageAnswered))

    async def _store_and_tell(
        self, standing: Standing, entry: NewEntry, answered: Answered | None, mentioned: Sequence[UUID]
    ) -> Posted:
        key = (entry.room_id, entry.actor, entry.client_id or "")
        try:
            async with self._ctx.db.transaction() as session:
                place = await self._writing.say_within(session, entry)
                if place is not None:
                    await self.tell(session, standing.room.course_id, entry, place.offset, answered, mentioned)
        except errors.UniqueViolation:  # its twin was stored by another process at this very moment
            place = None
        if place is not None:
            return Posted(state="posted", at=entry.at, epoch=place.epoch, offset=place.offset)
        if (found := await self._writing.said(key)) is None:
            raise RoomClosed
        return Posted(state="posted", at=found.at, epoch=found.epoch, offset=found.offset)

    async def _before(self, standing: Standing, message: NewMessage) -> Posted | None:
        key = (standing.room.id, standing.user_id, message.client_id)
        if (found := await self._writing.said(key)) is not None:
            return Posted(state="posted", at=found.at, epoch=found.epoch, offset=found.offset)
        return await self._holding.before(*key)

    async def _answered(self, standing: Standing, offset: int | None) -> Answered | None:
        if offset is None:
            return None
        found = await self._ctx.db.first(ANSWERED, room_id=standing.room.id, offset=offset)
        concerned = found is not None and standing.user_id in (found.actor, found.recipient)
        if found is None or (found.audience == "staff" and not standing.staff and not concerned):
            raise problems.Invalid(fields=[problems.FieldError("reply_to", "is no message of this room")])
        return found

    async def _take_turn(self, standing: Standing, now: datetime) -> None:
        """Refuse who wrote less than the room's interval ago, by whichever process."""
        wait = standing.room.slow_mode
        before = now - timedelta(seconds=wait)
        values = {"room_id": standing.room.id, "user_id": standing.user_id, "now": now, "before": before}
        if not await self._ctx.db.run(TAKE_TURN, **values):
            raise too_soon(wait)


def too_soon(seconds: int) -> TooSoon:
    """Return the refusal of who has to wait."""
    return TooSoon(f"Come back in {seconds} s.", headers={"Retry-After": str(seconds)})


def recipient_of(answered: Answered | None, sender: UUID) -> UUID | None:
    """Return who sees an answer beside staff: whose question it was, where that was for staff."""
    if answered is None or answered.audience == "room":
        return None
    return answered.actor if answered.actor != sender else answered.recipient


def _entry(standing: Standing, message: NewMessage, answered: Answered | None, now: datetime) -> NewEntry:
    """Return *message* as it is stored; what answers a message for staff is for staff, and for whose it was."""
    for_staff = answered is not None and answered.audience == "staff"
    return NewEntry(
        room_id=standing.room.id,
        kind="message",
        actor=standing.user_id,
        name=standing.name,
        at=now,
        client_id=message.client_id,
        text=message.text,
        audience="staff" if for_staff else message.audience,
        recipient=recipient_of(answered, standing.user_id),
        reply_to=message.reply_to,
    )
