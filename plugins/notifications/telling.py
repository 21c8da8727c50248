"""Telling: what is new is given the names that it mentions, appears in the tray, and is put on its ways to the person.

All of it is one transaction for each batch, which touches a notice only while it is new: whoever breaks off in the
middle, or does it beside another process, tells nobody twice or not at all. No transaction waits for another plugin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, failpoint, new_id
from kernel.contracts.notifications import Facts, NotificationKind
from kernel.database import Command, Load, Query, Session, Timestamp
from plugins.notifications.channels import Channels
from plugins.notifications.circulating import Circulating
from plugins.notifications.deciding import DIGESTS, TRAY, Desk, Outcome, Parcel, Rules, is_full, place, put, wish
from plugins.notifications.kinds import Kinds
from plugins.notifications.live import Live
from plugins.notifications.moments import Schedule
from plugins.notifications.names import Names, is_named
from plugins.notifications.sending import Sending
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import contacts, deliveries, notices, parcels
from plugins.notifications.wanting import AS_USUAL, Wanted, wanted

BATCH: Final = 500  # notices
TOLD: Final = failpoint("notifications.told")  # but not committed


class New(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that is not told yet, and where the person lives."""

    id: UUID
    user_id: UUID
    kind: str
    facts: dict[str, str | int]
    at: datetime
    time_zone: str


#: Who cannot be reached yet is told when that is known, as long as it is news.
NEW: Final = Query(
    sa.select(
        notices.c.id,
        notices.c.user_id,
        notices.c.kind,
        notices.c.facts,
        notices.c.at,
        sa.func.coalesce(contacts.c.time_zone, sa.literal_column("''")).label("time_zone"),
    )
    .join_from(notices, contacts, contacts.c.user_id == notices.c.user_id, isouter=True)
    .where(
        notices.c.told_at.is_(None),
        notices.c.id > bindparam("after"),
        sa.or_(contacts.c.email != sa.literal_column("''"), notices.c.at < bindparam("stale", type_=Timestamp())),
    )
    .order_by(notices.c.id)
    .limit(BATCH),
    New,
)
_IDS: Final = bindparam("ids", type_=sa.Uuid(), expanding=True)
_STILL_NEW: Final = (
    sa.select(notices.c.id)
    .where(notices.c.id.in_(_IDS), notices.c.told_at.is_(None))
    .order_by(notices.c.id)
    .with_for_update(skip_locked=True)
)
#: Touches no notice that another process has told, or is about to. The condition stands outside as well: SQLite knows
#: no locks of rows.
CLAIM: Final = Query(
    sa.update(notices)
    .where(notices.c.id.in_(_STILL_NEW), notices.c.told_at.is_(None))
    .values(told_at=bindparam("now", type_=Timestamp()), outcome=sa.literal_column("'told'"))
    .returning(notices.c.id),
    UUID,
)
AMEND: Final = Command(
    sa.update(notices)
    .where(notices.c.id == bindparam("of_id"))
    .values(facts=bindparam("new_facts"), outcome=bindparam("new_outcome"))
)
FORGET: Final = Command(sa.delete(notices).where(notices.c.id == bindparam("of_id")))
_PEOPLE: Final = bindparam("people", type_=sa.Uuid(), expanding=True)
#: One teller at a time puts something into the parcels of a person.
LOCK: Final = Query(
    sa.select(contacts.c.user_id).where(contacts.c.user_id.in_(_PEOPLE)).order_by(contacts.c.user_id).with_for_update(),
    UUID,
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel that others may join, or that was there lately."""

    id: UUID
    user_id: UUID
    channel: str
    slot: str
    due_at: datetime
    closed_at: datetime | None


#: The lock keeps a parcel open until what joins it is committed.
SLOTS: Final = Query(
    sa.select(*(parcels.c[name] for name in Row.__struct_fields__))
    .where(
        parcels.c.user_id.in_(_PEOPLE),
        parcels.c.slot != sa.literal_column("''"),
        sa.or_(parcels.c.closed_at.is_(None), parcels.c.due_at > bindparam("since", type_=Timestamp())),
    )
    .order_by(parcels.c.id)
    .with_for_update(),
    Row,
)


class Sent(msgspec.Struct, frozen=True):
    """How much went to somebody lately."""

    user_id: UUID
    channel: str
    count: int


SENT: Final = Query(
    sa.select(parcels.c.user_id, parcels.c.channel, sa.func.count().label("count"))
    .where(
        parcels.c.user_id.in_(_PEOPLE),
        parcels.c.due_at > bindparam("since", type_=Timestamp()),
        parcels.c.slot.not_in([sa.literal_column(f"'{slot}'") for slot in DIGESTS]),
    )
    .group_by(parcels.c.user_id, parcels.c.channel),
    Sent,
)
_PARCEL: Final = ("id", "user_id", "channel", "slot", "due_at", "next_at", "attempts", "result", "failure")
ADD_PARCELS: Final = Load(parcels, *_PARCEL)
ADD_DELIVERIES: Final = Load(deliveries, "notice_id", "channel", "decision", "because", "parcel_id")


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A notice with its names, and what is known of its kind; without a kind it is no news any more."""

    notice: New
    facts: Facts
    kind: NotificationKind | None


class Telling:
    """Tells what is new."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._ctx = ctx
        self._noted = asyncio.Event()
        self._kinds, self._names = ctx.own(Kinds), Names(ctx)
        self._channels, self._circulating = ctx.own(Channels), ctx.own(Circulating)
        self._sending, self._live = ctx.own(Sending), ctx.own(Live)
        self._rules = Rules(fold=timedelta(minutes=ctx.settings.fold_minutes), cap=ctx.settings.most_per_day)
        self._stale = timedelta(hours=ctx.settings.stale_hours)

    def wake(self) -> None:
        """Have it look now."""
        self._noted.set()

    def run_in_background(self) -> None:
        """Tell whatever is new until the plugin stops."""
        self.wake()
        self._ctx.tasks.every(self._ctx.settings.look_every, self.tell, name="telling", sooner=self._noted)

    async def tell(self) -> None:
        """Tell all that is new by now."""
        await self._tell_new()
        while await self._circulating.step():
            await self._tell_new()

    async def _tell_new(self) -> None:
        after = UUID(int=0)
        stale = self._ctx.clock.now() - self._stale
        while found := await self._ctx.db.all(NEW, after=after, stale=stale):
            after = found[-1].id
            await self.tell_those(await self._ready(found))

    async def _ready(self, found: Sequence[New]) -> list[Ready]:
        """Return those that can be told now: one whose kind is of a plugin that is off waits for it."""
        kinds, stale = self._kinds.all(), self._ctx.clock.now() - self._stale
        facts = await self._names.name([one.facts for one in found])
        told = zip(found, facts, strict=True)
        ready = [
            Ready(notice=one, facts=named, kind=kinds.get(one.kind) if one.at >= stale else None) for one, named in told
        ]
        return [one for one in ready if one.kind is not None or one.notice.at < stale]

    async def tell_those(self, ready: Sequence[Ready]) -> None:
        """Tell those of *ready* that are new still; if one of them cannot be told, each of the others by itself."""
        try:
            await self.tell_together(ready)
        except Exception:
            if len(ready) > 1:
                for one in ready:
                    await self.tell_those([one])
            elif ready:
                self._ctx.log.exception("not told; tried again later", action="telling", notice=str(ready[0].notice.id))

    async def tell_together(self, ready: Sequence[Ready]) -> None:
        """Tell those of *ready* that are new still, all of them or none."""
        if not ready:
            return
        now = self._ctx.clock.now()
        async with self._ctx.db.transaction() as session:
            claimed = set(await session.all(CLAIM, ids=[one.notice.id for one in ready], now=now))
            mine = [one for one in ready if one.notice.id in claimed]
            shown = await self._decide(session, mine, now) if mine else []
            await TOLD()
        if mine:
            self._live.changed(shown)
            self._sending.wake()

    async def _decide(self, session: Session, mine: Sequence[Ready], now: datetime) -> list[UUID]:
        """Write down what becomes of *mine*; return who has something new in the tray."""
        people = sorted({one.notice.user_id for one in mine})
        await session.all(LOCK, people=people)
        wants, desk = await wanted(session, people), await self._desk(session, people, now)
        outcomes = [(one, _outcome(one, wants.get(one.notice.user_id, AS_USUAL))) for one in mine]
        ways = [way for one, outcome in outcomes if outcome != "stale" for way in self._ways(one, wants, desk)]
        await session.load(ADD_PARCELS, [_parcel_row(parcel) for parcel in desk.made])
        await session.load(ADD_DELIVERIES, ways)
        await session.run_many(AMEND, list(_amended(outcomes)))
        await session.run_many(FORGET, [{"of_id": one.notice.id} for one, told in outcomes if _is_nobodys(one, told)])
        return [one.notice.user_id for one, outcome in outcomes if outcome == "told"]

    async def _desk(self, session: Session, people: Sequence[UUID], now: datetime) -> Desk:
        day = now - timedelta(days=1)
        found = await session.all(SLOTS, people=people, since=now - self._rules.fold)
        slots = {(one.user_id, one.channel, one.slot): _parcel(one) for one in found}  # the newest comes last
        counted = await session.all(SENT, people=people, since=day)
        sent = {(one.user_id, one.channel): one.count for one in counted}
        return Desk(rules=self._rules, now=now, slots=slots, sent=sent)

    def _ways(self, one: Ready, wants: Mapping[UUID, Wanted], desk: Desk) -> Iterable[tuple[object, ...]]:
        """Put a notice on its ways; yield the rows that say so."""
        person, kind = one.notice.user_id, one.kind
        if kind is None:
            return
        want = wants.get(person, AS_USUAL)
        for channel in self._channels.names():
            wished = wish(kind, channel, want.chosen)
            if wished.frequency == "never":
                yield one.notice.id, channel, "never", wished.because, None
                continue
            schedule: Schedule = want.schedule(self._ctx.settings, one.notice.time_zone)
            full = is_full(desk, person, channel)
            decision, parcel = put(
                desk, person, channel, place(kind, one.facts, wished, schedule, desk.now, full=full), new_id()
            )
            yield one.notice.id, channel, decision, wished.because, parcel


def _outcome(one: Ready, want: Wanted) -> Outcome:
    if one.kind is None:
        return "stale"
    return "hidden" if wish(one.kind, TRAY, want.chosen).frequency == "never" else "told"


def _is_nobodys(one: Ready, outcome: Outcome) -> bool:
    """Return whether it came for somebody who was erased, or whom nobody ever knew."""
    return outcome == "stale" and not one.notice.time_zone


def _amended(outcomes: Iterable[tuple[Ready, Outcome]]) -> Iterable[dict[str, object]]:
    """Yield what differs from what claiming them has written."""
    for one, outcome in outcomes:
        if outcome != "told" or not is_named(one.notice.facts):
            yield {"of_id": one.notice.id, "new_facts": dict(one.facts), "new_outcome": outcome}


def _parcel(row: Row) -> Parcel:
    return Parcel(
        id=row.id,
        user_id=row.user_id,
        channel=row.channel,
        slot=row.slot,
        due_at=row.due_at,
        open=row.closed_at is None,
    )


def _parcel_row(parcel: Parcel) -> tuple[object, ...]:
    return (parcel.id, parcel.user_id, parcel.channel, parcel.slot, parcel.due_at, parcel.due_at, 0, "", "")
