"""The queue: mails from the moment they are asked for until they have left."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Delivery
from kernel.contracts.mail import MailRequested
from kernel.database import Command, Query, Session, Timestamp
from plugins.mail.settings import MailSettings
from plugins.mail.tables import FAILED, KEPT, SENT, WAITING, mails

#: How long a sent or failed mail's row stays, without its content.
HISTORY: Final = timedelta(days=30)


class Claimed(msgspec.Struct, frozen=True):
    """A mail that this process alone may send until its claim ends."""

    id: UUID
    sealed: str
    attempts: int  #: this one included
    created_at: datetime


_NOW: Final = bindparam("now", type_=Timestamp())

TAKE: Final = Command(
    insert(mails)
    .values({name: bindparam(name) for name in ("id", "recipient", "state", "sealed", "created_at", "next_at")})
    .values(attempts=0)
    .on_conflict_do_nothing(index_elements=["id"])
)

_DUE: Final = (
    sa.select(mails.c.id)
    .where(mails.c.state == WAITING, mails.c.next_at <= _NOW)
    .order_by(mails.c.next_at, mails.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
#: Takes the mail that has waited longest; the conditions hold for the row as it is when it is changed.
CLAIM: Final = Query(
    sa.update(mails)
    .where(mails.c.id == _DUE, mails.c.state == WAITING, mails.c.next_at <= _NOW)
    .values(next_at=bindparam("claimed_until"), attempts=mails.c.attempts + 1)
    .returning(mails.c.id, mails.c.sealed, mails.c.attempts, mails.c.created_at),
    Claimed,
)

#: Ends a mail's story and erases what it said; only the claim that sent it may.
FINISH: Final = Command(
    sa.update(mails)
    .where(mails.c.id == bindparam("mail"), mails.c.attempts == bindparam("claim"), mails.c.state == WAITING)
    .values(state=bindparam("outcome"), sealed=None, finished_at=_NOW, last_error=bindparam("reason"))
)

POSTPONE: Final = Command(
    sa.update(mails)
    .where(mails.c.id == bindparam("mail"), mails.c.attempts == bindparam("claim"), mails.c.state == WAITING)
    .values(next_at=bindparam("until"), last_error=bindparam("reason"))
)

STATE: Final = Query(sa.select(mails.c.state).where(mails.c.id == bindparam("mail")), str)
COUNT_WAITING: Final = Query(sa.select(sa.func.count().label("count")).where(mails.c.state == WAITING), int)

FORGET: Final = Command(
    sa.delete(mails).where(
        sa.or_(
            mails.c.finished_at < bindparam("finished_before", type_=Timestamp()),
            sa.and_(mails.c.state == KEPT, mails.c.id < bindparam("kept_before")),
        )
    )
)


class MailQueue:
    """Fulfils `mail/1`."""

    def __init__(self, ctx: Context[MailSettings]) -> None:
        self._db = ctx.db
        self._clock = ctx.clock
        self._settings = ctx.settings

    async def waiting(self) -> int:
        return await self._db.one(COUNT_WAITING)

    async def has_left(self, mail_id: UUID) -> bool:
        return await self._db.first(STATE, mail=mail_id) not in (None, WAITING)

    async def take(self, session: Session, delivery: Delivery[MailRequested]) -> None:
        """Add the mail of *delivery*, once however often it comes."""
        now = self._clock.now()
        await session.run(
            TAKE,
            id=delivery.id,
            recipient=delivery.event.recipient,
            sealed=delivery.event.sealed,
            state=WAITING if self._settings.delivery == "smtp" else KEPT,
            created_at=now,
            next_at=now,
        )

    async def claim(self, lease: timedelta) -> Claimed | None:
        """Return a mail that is due, for this process alone until *lease* is over; None when none is due."""
        now = self._clock.now()
        return await self._db.first(CLAIM, now=now, claimed_until=now + lease)

    async def sent(self, mail: Claimed) -> None:
        """Erase what *mail* said: it has left."""
        await self._finish(mail, SENT, None)

    async def failed(self, mail: Claimed, reason: str) -> None:
        """Give *mail* up for *reason*."""
        await self._finish(mail, FAILED, reason)

    async def postpone(self, mail: Claimed, delay: timedelta, reason: str) -> None:
        """Have *mail* tried again after *delay*."""
        until = self._clock.now() + delay
        await self._db.run(POSTPONE, mail=mail.id, claim=mail.attempts, until=until, reason=reason)

    async def forget(self) -> None:
        """Delete the rows of mails that left or were kept long ago."""
        now = self._clock.now()
        kept_before = _first_id_of(now - timedelta(days=self._settings.mailbox_days))
        await self._db.run(FORGET, finished_before=now - HISTORY, kept_before=kept_before)

    async def _finish(self, mail: Claimed, outcome: str, reason: str | None) -> None:
        now = self._clock.now()
        await self._db.run(FINISH, mail=mail.id, claim=mail.attempts, outcome=outcome, reason=reason, now=now)


def _first_id_of(moment: datetime) -> UUID:
    """Return the smallest UUIDv7 made at *moment*: ids sort by time, so the mailbox needs no index on a time."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
