"""Keeping order: a room's rules, who may speak, what waits for approval, what was reported. Each is an act."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Request, errors, new_id, problems
from kernel.contracts.audit import act
from kernel.database import Command, Query, Session
from plugins.chat.changing import Changing
from plugins.chat.entries import NewEntry
from plugins.chat.holding import DECIDE, SETTLE, Held
from plugins.chat.moments import Moment, require_usable
from plugins.chat.names import NAME
from plugins.chat.posting import ANSWERED, Posting, recipient_of
from plugins.chat.putting_out import PuttingOut
from plugins.chat.rooms import RoomRow, Rooms
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standing
from plugins.chat.tables import members, reports
from plugins.chat.writing import Writing


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said in a room, and how."""

    state: Literal["open", "closed"] = "open"
    slow_mode: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 0  #: seconds between two messages of one person
    approval: bool = False  #: messages wait for whoever moderates
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class NewStanding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a person may speak in a room, and be there."""

    muted_until: Moment | None = None
    banned: bool = False
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""

    def __post_init__(self) -> None:
        require_usable("muted_until", self.muted_until)

    def facts(self) -> dict[str, object]:
        """Return what is told of it."""
        facts: dict[str, object] = msgspec.to_builtins({"muted_until": self.muted_until, "banned": self.banned})
        return facts


class MemberStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A person who is muted or put out."""

    user_id: UUID
    muted_until: datetime | None
    banned: bool


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a member has to say against a message."""

    id: UUID
    room_id: UUID
    offset: int
    reporter: UUID
    reason: str
    at: datetime


_STANDING: Final = tuple(members.c[name] for name in MemberStanding.__struct_fields__)
STANDING: Final = Query(
    sa.select(*_STANDING).where(members.c.room_id == bindparam("room_id"), members.c.user_id == bindparam("user_id")),
    MemberStanding,
)
_STANDS: Final = insert(members).values(
    room_id=bindparam("room_id"),
    user_id=bindparam("user_id"),
    muted_until=bindparam("muted_until"),
    banned=bindparam("banned"),
    read_to=0,
)
SET_STANDING: Final = Command(
    _STANDS.on_conflict_do_update(
        index_elements=[members.c.room_id, members.c.user_id],
        set_={"muted_until": _STANDS.excluded.muted_until, "banned": _STANDS.excluded.banned},
    )
)
_REPORT: Final = tuple(reports.c[name] for name in Report.__struct_fields__)
REPORT: Final = Command(
    insert(reports)
    .values({name: bindparam(name) for name in Report.__struct_fields__})
    .values(state="open")
    .on_conflict_do_nothing(index_elements=[reports.c.reporter, reports.c.room_id, reports.c.offset])
)
REPORTS: Final = Query(
    sa.select(*_REPORT)
    .where(
        reports.c.room_id == bindparam("room_id"),
        reports.c.state == sa.literal_column("'open'"),
        reports.c.id > bindparam("after"),
    )
    .order_by(reports.c.id)
    .limit(bindparam("limit")),
    Report,
)
SETTLE_REPORT: Final = Query(
    sa.update(reports)
    .where(
        reports.c.id == bindparam("of_report"),
        reports.c.room_id == bindparam("of_room"),
        reports.c.state == sa.literal_column("'open'"),
    )
    .values(state="settled", settled_by=bindparam("person"), settled_at=bindparam("now"))
    .returning(*_REPORT),
    Report,
)


class Moderating:
    """What staff decide, with the acts that tell of it, and what members report to them."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._rooms = ctx.own(Rooms)
        self._writing = ctx.own(Writing)
        self._posting = ctx.own(Posting)
        self._changing = ctx.own(Changing)
        self._putting_out = ctx.own(PuttingOut)

    async def set_rules(self, request: Request, standing: Standing, rules: Rules) -> None:
        """Give the room other rules."""
        old = standing.room
        new = msgspec.structs.replace(old, state=rules.state, slow_mode=rules.slow_mode, approval=rules.approval)
        async with self._ctx.db.transaction() as session:
            if await self._rooms.set_rules(session, new, standing.user_id, standing.name):
                before, after, why = old.rules(), new.rules(), rules.reason
                await self._record(session, request, "chat.set_rules", old, before=before, after=after, reason=why)
        await self._putting_out.room_changed(old.id)

    async def set_standing(self, request: Request, standing: Standing, user_id: UUID, new: NewStanding) -> None:
        """Mute a person, put them out, or take that back."""
        room_id = standing.room.id
        async with self._ctx.db.transaction() as session:
            known = await session.first(STANDING, room_id=room_id, user_id=user_id)
            before = NewStanding() if known is None else NewStanding(muted_until=known.muted_until, banned=known.banned)
            values = {"muted_until": new.muted_until, "banned": new.banned}
            await session.run(SET_STANDING, room_id=room_id, user_id=user_id, **values)
            if before.facts() != new.facts():
                told = act(
                    request,
                    "chat.set_standing",
                    f"room:{room_id}",
                    before=before.facts(),
                    after=new.facts(),
                    reason=new.reason,
                    about=user_id,
                )
                await self._ctx.events.publish(session, told)
        await self._putting_out.person_changed(user_id, room_id=room_id)

    async def approve(self, request: Request, standing: Standing, held_id: UUID) -> None:
        """Let a message that waits into the log, in the name of its sender, as of now."""
        now = self._ctx.clock.now()
        values = {"held_id": held_id, "of_room": standing.room.id, "person": standing.user_id, "now": now}
        async with self._ctx.db.transaction() as session:
            held = await session.first(DECIDE, **values, new_state="approved")
            if held is None:  # somebody else decided it meanwhile
                raise problems.NotFound
            await self._let_in(session, standing, held, now)
            await self._record(session, request, "chat.approve", standing.room, about=held.sender)

    async def refuse(self, request: Request, standing: Standing, held_id: UUID, reason: str) -> None:
        """Let a message that waits never come into the log."""
        values = {"held_id": held_id, "of_room": standing.room.id, "person": standing.user_id}
        async with self._ctx.db.transaction() as session:
            held = await session.first(DECIDE, **values, now=self._ctx.clock.now(), new_state="refused")
            if held is None:
                raise problems.NotFound
            await session.run(SETTLE, held_id=held_id, new_offset=None)
            await self._record(session, request, "chat.refuse", standing.room, about=held.sender, reason=reason)

    async def report(self, standing: Standing, offset: int, reason: str) -> None:
        """Tell staff of a message; twice by the same person is once."""
        target = await self._changing.target(self._ctx.db, standing, offset)
        values = {"id": new_id(), "room_id": standing.room.id, "offset": target.offset, "reporter": standing.user_id}
        try:
            await self._ctx.db.run(REPORT, **values, reason=reason, at=self._ctx.clock.now())
        except errors.ConstraintViolation:  # the message became too old to be kept at this very moment
            raise problems.NotFound from None

    async def settle(self, request: Request, standing: Standing, report_id: UUID, reason: str) -> None:
        """Say that a report needs nothing more."""
        values = {"of_report": report_id, "of_room": standing.room.id, "person": standing.user_id}
        async with self._ctx.db.transaction() as session:
            settled = await session.first(SETTLE_REPORT, **values, now=self._ctx.clock.now())
            if settled is None:
                raise problems.NotFound
            facts = {"offset": settled.offset, "report": settled.reason}
            await self._record(session, request, "chat.settle_report", standing.room, before=facts, reason=reason)

    async def _let_in(self, session: Session, standing: Standing, held: Held, now: datetime) -> None:
        answered = None
        if held.reply_to is not None:
            answered = await session.first(ANSWERED, room_id=held.room_id, offset=held.reply_to)
        entry = NewEntry(
            room_id=held.room_id,
            kind="message",
            actor=held.sender,
            name=await session.first(NAME, user_id=held.sender) or "",
            at=now,
            client_id=held.client_id,
            text=held.text,
            audience=held.audience,
            recipient=recipient_of(answered, held.sender),
            reply_to=held.reply_to,
        )
        mentioned = await self._posting.mentioned(session, entry, held.mentions)
        place = await self._writing.say_within(session, entry)
        if place is None:
            raise problems.Conflict("The room is closed, or the message is in it already.")
        await self._posting.tell(session, standing.room.course_id, entry, place.offset, answered, mentioned)
        await session.run(SETTLE, held_id=held.id, new_offset=place.offset)

    async def _record(
        self,
        session: Session,
        request: Request,
        action: str,
        room: RoomRow,
        *,
        before: dict[str, object] | None = None,
        after: dict[str, object] | None = None,
        reason: str = "",
        about: UUID | None = None,
    ) -> None:
        told = act(request, action, f"room:{room.id}", before=before, after=after, reason=reason, about=about)
        await self._ctx.events.publish(session, told)
