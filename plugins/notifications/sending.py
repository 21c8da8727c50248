"""Sending: parcels that are due are closed, and go by their channel.

A mail is asked for in the transaction that closes its parcel: once, whatever breaks off. Another channel is called
outside of any transaction, with the same key however often, until it has taken the parcel or is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, failpoint
from kernel.contracts.mail import MailRequested, requested
from kernel.contracts.notifications import NotificationChannel, Unreachable
from kernel.database import Command, Query, Session, Timestamp
from plugins.notifications.channels import MAIL, Channels
from plugins.notifications.composing import Composing, Member
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import choices, contacts, deliveries, notices, parcels

BATCH: Final = 100  # parcels
PATIENCE: Final = 30.0  # seconds for a channel to take one
ATTEMPTS: Final = 10
CLOSED: Final = failpoint("notifications.closed")  # and its mail asked for, but not committed
#: What became of a parcel: it went, or everything in it was read or withdrawn before, or nobody could take it.
Result = Literal["sent", "empty", "unreachable", "failed"]


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel whose time has come."""

    id: UUID
    slot: str
    attempts: int


def _due(channel: sa.sql.elements.BindParameter[str]) -> sa.sql.elements.ColumnElement[bool]:
    return sa.and_(
        parcels.c.channel == channel,
        parcels.c.ended_at.is_(None),
        parcels.c.next_at <= bindparam("now", type_=Timestamp()),
    )


#: What another process is at is left to it. A CTE, since PostgreSQL may run a subquery again and lock more than
#: *count*. The condition stands outside as well: SQLite knows no locks of rows.
_CHOSEN: Final = (
    sa.select(parcels.c.id)
    .where(_due(bindparam("by_channel")))
    .order_by(parcels.c.next_at)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
    .cte("chosen")
)
#: Nothing joins it any more; and nobody else takes it up before *later*.
CLOSE: Final = Query(
    sa.update(parcels)
    .where(_due(bindparam("by_channel")), parcels.c.id.in_(sa.select(_CHOSEN.c.id)))
    .values(
        closed_at=sa.func.coalesce(parcels.c.closed_at, bindparam("now", type_=Timestamp())),
        attempts=parcels.c.attempts + 1,
        next_at=bindparam("later", type_=Timestamp()),
    )
    .returning(parcels.c.id, parcels.c.slot, parcels.c.attempts),
    Due,
)
#: Whoever has unsubscribed since gets it no more; and what was read meanwhile is no news, but for what goes alone.
MEMBERS: Final = Query(
    sa.select(
        deliveries.c.parcel_id,
        notices.c.id,
        notices.c.kind,
        notices.c.facts,
        notices.c.at,
        notices.c.user_id,
        contacts.c.email,
        contacts.c.display_name,
        contacts.c.locale,
    )
    .join_from(deliveries, notices, notices.c.id == deliveries.c.notice_id)
    .join(contacts, contacts.c.user_id == notices.c.user_id)
    .join(
        choices,
        sa.and_(
            choices.c.user_id == notices.c.user_id,
            choices.c.kind == notices.c.kind,
            choices.c.channel == deliveries.c.channel,
        ),
        isouter=True,
    )
    .where(
        deliveries.c.parcel_id.in_(bindparam("ids", expanding=True)),
        sa.or_(choices.c.frequency.is_(None), choices.c.frequency != sa.literal_column("'never'")),
        sa.or_(notices.c.read_at.is_(None), deliveries.c.decision == sa.literal_column("'now'")),
    )
    .order_by(notices.c.at, notices.c.id),
    Member,
)
#: Touches no parcel that has ended.
END: Final = Command(
    sa.update(parcels)
    .where(parcels.c.id == bindparam("of_id"), parcels.c.ended_at.is_(None))
    .values(ended_at=bindparam("at"), result=bindparam("new_result"), failure=bindparam("why"))
)
FAIL: Final = Command(
    sa.update(parcels)
    .where(parcels.c.id == bindparam("of_id"), parcels.c.ended_at.is_(None))
    .values(failure=bindparam("why"), next_at=bindparam("later", type_=Timestamp()))
)
MAILED: Final = Query(
    sa.select(sa.func.count().label("count")).where(
        parcels.c.channel == bindparam("by_channel"),
        parcels.c.ended_at > bindparam("since", type_=Timestamp()),
        parcels.c.result == sa.literal_column("'sent'"),
    ),
    int,
)


class Sending:
    """Sends what is due."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._ctx = ctx
        self._put = asyncio.Event()
        self._channels, self._composing = ctx.own(Channels), ctx.own(Composing)

    def wake(self) -> None:
        """Have it look now."""
        self._put.set()

    def run_in_background(self) -> None:
        """Send whatever is due until the plugin stops."""
        self.wake()
        self._ctx.tasks.every(self._ctx.settings.look_every, self.send, name="sending", sooner=self._put)

    async def send(self) -> None:
        """Send all that is due by now."""
        while await self._send_mails():
            pass
        for name, channel in self._channels.contributed().items():
            while await self._carry(name, channel):
                pass

    async def _send_mails(self) -> bool:
        """Ask for some mails; return whether there may be more to ask for."""
        count = await self._allowed()
        now = self._ctx.clock.now()
        async with self._ctx.db.transaction() as session:
            due = await session.all(CLOSE, by_channel=MAIL, now=now, later=now, count=count) if count else []
            told = await self._members(session, due)
            ends, mails = [], []
            for parcel in sorted(due, key=lambda one: one.id):
                result, why, mail = self._mail(parcel, told.get(parcel.id, ()))
                ends.append(_end(parcel.id, now, result, why))
                mails += mail
            await session.run_many(END, ends)
            await self._ctx.events.publish_all(session, mails)
            await CLOSED()
        return len(due) == BATCH

    async def _allowed(self) -> int:
        """Return how many mails may go now: the institution may have said how many in a day."""
        most = self._ctx.settings.mails_per_day
        if not most:
            return BATCH
        since = self._ctx.clock.now() - timedelta(days=1)
        return max(0, min(BATCH, most - await self._ctx.db.one(MAILED, by_channel=MAIL, since=since)))

    async def _members(self, session: Session, due: Sequence[Due]) -> Mapping[UUID, Sequence[Member]]:
        found: dict[UUID, list[Member]] = {}
        for member in await session.all(MEMBERS, ids=[parcel.id for parcel in due]) if due else ():
            found.setdefault(member.parcel_id, []).append(member)
        return found

    def _mail(self, parcel: Due, members: Sequence[Member]) -> tuple[Result, str, list[MailRequested]]:
        """Return what becomes of a parcel of mail, and why; one that can not be put into words keeps no other back."""
        if not members:
            return "empty", "", []
        if not members[0].email:
            return "unreachable", "", []
        try:
            message = self._composing.mail(self._composing.notification(parcel.id, MAIL, parcel.slot, members))
        except Exception as error:
            self._ctx.log.exception("mail given up: it can not be put into words", action="mail", parcel=str(parcel.id))
            return "failed", str(error)[:200], []
        return "sent", "", [requested(self._ctx.secrets, message)]

    async def _carry(self, name: str, channel: NotificationChannel) -> bool:
        """Give some parcels to a channel; return whether there may be more."""
        now = self._ctx.clock.now()
        later = now + timedelta(seconds=2 * PATIENCE)
        async with self._ctx.db.transaction() as session:
            due = await session.all(CLOSE, by_channel=name, now=now, later=later, count=BATCH)
            told = await self._members(session, due)
        await asyncio.gather(*(self._give(name, channel, one, told.get(one.id, ())) for one in due))
        return len(due) == BATCH

    async def _give(self, name: str, channel: NotificationChannel, parcel: Due, members: Sequence[Member]) -> None:
        """Give one parcel to a channel, and write down what became of it."""
        try:
            if members:
                async with asyncio.timeout(PATIENCE):
                    await channel.deliver(self._composing.notification(parcel.id, name, parcel.slot, members))
            result: Result = "sent" if members else "empty"
            await self._ctx.db.run(END, **_end(parcel.id, self._ctx.clock.now(), result, ""))
        except Unreachable as reason:
            await self._ctx.db.run(END, **_end(parcel.id, self._ctx.clock.now(), "unreachable", str(reason)[:200]))
        except Exception as error:
            self._ctx.log.exception("channel did not take it", action="channel", channel=name, parcel=str(parcel.id))
            await self._fail(parcel, f"{type(error).__name__}: {error}"[:200])

    async def _fail(self, parcel: Due, why: str) -> None:
        now = self._ctx.clock.now()
        if parcel.attempts >= ATTEMPTS:
            await self._ctx.db.run(END, **_end(parcel.id, now, "failed", why))
            return
        pause = timedelta(minutes=min(2**parcel.attempts, 360))
        await self._ctx.db.run(FAIL, of_id=parcel.id, why=why, later=now + pause)


def _end(parcel: UUID, now: datetime, result: Result, why: str) -> dict[str, object]:
    return {"of_id": parcel, "at": now, "new_result": result, "why": why}
