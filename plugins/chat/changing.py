"""What is done to a message that was said: edits, removal, signs. Each is an entry of the log as well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Event, errors, problems
from kernel.contracts.chat import Audience, Draft, MessageRefused, MessageRemoved
from kernel.database import Command, Executor, Query, Session
from plugins.chat.entries import Kind, NewEntry
from plugins.chat.filtering import Filtering
from plugins.chat.posting import Posting
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standing
from plugins.chat.tables import entries, reactions, reports
from plugins.chat.writing import Place, Writing


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A message to which something is done."""

    offset: int
    actor: UUID
    at: datetime
    text: str | None
    audience: Audience
    recipient: UUID | None
    removed_at: datetime | None

    def seen_by(self, standing: Standing) -> bool:
        """Return whether the person may know of it."""
        return self.audience == "room" or standing.staff or standing.user_id in (self.actor, self.recipient)

    def facts(self) -> dict[str, object]:
        """Return what is told of it where its removal is an act; its text is gone on purpose."""
        return {"offset": self.offset, "sender": str(self.actor)}


#: Makes the act of a removal, where it is one.
ToAct = Callable[[Target], Event]

_TARGET: Final = (
    entries.c.room_id == bindparam("of_room"),
    entries.c.offset == bindparam("of_offset"),
    entries.c.kind == sa.literal_column("'message'"),
)
_COLUMNS: Final = tuple(entries.c[name] for name in Target.__struct_fields__)
TARGET: Final = Query(sa.select(*_COLUMNS).where(*_TARGET), Target)
EDIT: Final = Command(
    sa.update(entries)
    .where(
        *_TARGET,
        entries.c.actor == bindparam("person"),
        entries.c.text != bindparam("new_text"),  # null once it was removed
    )
    .values(text=bindparam("new_text"), edited_at=bindparam("now"))
)
REMOVE: Final = Command(
    sa.update(entries)
    .where(*_TARGET, entries.c.removed_at.is_(None))
    .values(text=None, removed_at=bindparam("now"), removed_by=bindparam("person"))
)
#: A message that is gone needs nobody's attention any more.
SETTLE_REPORTS: Final = Command(
    sa.update(reports)
    .where(
        reports.c.room_id == bindparam("of_room"),
        reports.c.offset == bindparam("of_offset"),
        reports.c.state == sa.literal_column("'open'"),
    )
    .values(state="settled", settled_by=bindparam("person"), settled_at=bindparam("now"))
)
_SIGN: Final = ("room_id", "offset", "emoji", "user_id")
PUT: Final = Command(insert(reactions).values({name: bindparam(name) for name in _SIGN}).on_conflict_do_nothing())
TAKE: Final = Command(sa.delete(reactions).where(*(reactions.c[name] == bindparam(name) for name in _SIGN)))


class Changing:
    """Changes messages."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._writing = ctx.own(Writing)
        self._posting = ctx.own(Posting)
        self._filtering = ctx.own(Filtering)

    async def edit(self, standing: Standing, offset: int, text: str) -> None:
        """Put *text* in the place of one's own message; does nothing where it says that already.

        Raises:
            problems.NotFound, problems.Forbidden: there is no such message, or it is another's or too old.
            RoomClosed, Silenced, TooSoon, MessageRefused: as for a new message.
        """
        now = self._ctx.clock.now()
        self._posting.admit(standing, now)
        target = await self._target(standing, offset)
        self._require_own(standing, target, now)
        text = await self._judged(standing, target, text)
        room_id = standing.room.id
        async with self._ctx.db.transaction() as session:
            values = {"of_room": room_id, "of_offset": offset, "person": standing.user_id}
            if await session.run(EDIT, **values, new_text=text, now=now):
                await self._append(session, standing, target, "edited", now, text=text)

    async def remove(self, standing: Standing, offset: int, act: ToAct | None = None) -> None:
        """Take a message away, one's own or, as staff, anybody's: from every history and every export.

        Raises:
            problems.NotFound, problems.Forbidden: there is no such message, or it is another's.
        """
        now = self._ctx.clock.now()
        target = await self._target(standing, offset)
        if target.actor != standing.user_id and not standing.staff:
            raise problems.Forbidden("It is another's message; report it.")
        values = {"of_room": standing.room.id, "of_offset": offset, "person": standing.user_id, "now": now}
        async with self._ctx.db.transaction() as session:
            if not await session.run(REMOVE, **values):
                return
            await session.run(SETTLE_REPORTS, **values)
            room = standing.room
            told = MessageRemoved(room_id=room.id, course_id=room.course_id, offset=offset)
            await self._ctx.events.publish(session, told)
            if act is not None and target.actor != standing.user_id:
                await self._ctx.events.publish(session, act(target))
            await self._append(session, standing, target, "removed", now)

    async def react(self, standing: Standing, offset: int, emoji: str, *, on: bool) -> None:
        """Put a sign to a message, or take it off; does nothing where it is so already.

        Raises:
            problems.NotFound: there is no such message.
            RoomClosed, Silenced, TooSoon: as for a new message.
        """
        now = self._ctx.clock.now()
        self._posting.admit(standing, now)
        target = await self._target(standing, offset)
        sign = {"room_id": standing.room.id, "offset": offset, "emoji": emoji, "user_id": standing.user_id}
        try:
            async with self._ctx.db.transaction() as session:
                if await session.run(PUT if on else TAKE, **sign):
                    detail = {"emoji": emoji, "on": on}
                    await self._append(session, standing, target, "reacted", now, detail=detail)
        except errors.ConstraintViolation:  # the message became too old to be kept at this very moment
            raise problems.NotFound from None

    async def target(self, db: Executor, standing: Standing, offset: int) -> Target:
        """Return the message at *offset*.

        Raises:
            problems.NotFound: there is none, or none for this person, or it was removed.
        """
        found = await db.first(TARGET, of_room=standing.room.id, of_offset=offset)
        if found is None or found.removed_at is not None or not found.seen_by(standing):
            raise problems.NotFound
        return found

    async def _target(self, standing: Standing, offset: int) -> Target:
        return await self.target(self._ctx.db, standing, offset)

    def _require_own(self, standing: Standing, target: Target, now: datetime) -> None:
        if target.actor != standing.user_id:
            raise problems.Forbidden("It is another's message.")
        minutes = self._ctx.settings.edit_minutes
        if not standing.staff and now - target.at > timedelta(minutes=minutes):
            raise problems.Forbidden(f"A message can be edited for {minutes} minutes.")

    async def _judged(self, standing: Standing, target: Target, text: str) -> str:
        """Return what the filters leave of an edit; one that would be held is refused, for the message is out."""
        room = standing.room
        draft = Draft(
            room_id=room.id, course_id=room.course_id, sender=standing.user_id, text=text, audience=target.audience
        )
        verdict = await self._filtering.judge(draft)
        if verdict.held_for or (room.approval and not standing.staff):
            raise MessageRefused("It would have to be approved; send a new message.")
        return verdict.text

    async def _append(
        self,
        session: Session,
        standing: Standing,
        target: Target,
        kind: Kind,
        now: datetime,
        *,
        text: str | None = None,
        detail: dict[str, object] | None = None,
    ) -> Place:
        """Add what was done; whoever may see the message may see it."""
        recipient = target.actor if target.actor != standing.user_id else target.recipient
        entry = NewEntry(
            room_id=standing.room.id,
            kind=kind,
            actor=standing.user_id,
            name=standing.name,
            at=now,
            text=None,
            audience=target.audience,
            recipient=recipient if target.audience == "staff" else None,
            target=target.offset,
            detail=detail,
        )
        return await self._writing.append(session, entry, told_text=text)
