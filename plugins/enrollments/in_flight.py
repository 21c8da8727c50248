"""Money in flight: purchases that are neither completed nor given up, charged or not.

That takes milliseconds, or seconds where a process has died. What takes longer waits for payments, or for a person:
operators see its age at `/metrics`, it is logged once, and administrators can list it.
"""

from __future__ import annotations

import functools
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, Page, PageQuery, page
from kernel.database import Query
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.tables import purchases


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase that is pending."""

    id: UUID
    user_id: UUID
    course_id: UUID
    amount: int
    currency: str
    created_at: datetime


class InFlight(Pending, frozen=True, kw_only=True):
    """A purchase that is pending, and for how long."""

    age: float  #: seconds
    overdue: bool  #: whether that is longer than it should take


class Sum(msgspec.Struct, frozen=True):
    """How many purchases are pending, and since when."""

    count: int
    since: datetime | None


_PENDING: Final = purchases.c.state == sa.literal_column("'pending'")
_COLUMNS: Final = tuple(purchases.c[name] for name in Pending.__struct_fields__)

SUM: Final = Query(
    sa.select(sa.func.count().label("count"), sa.func.min(purchases.c.created_at).label("since")).where(_PENDING), Sum
)
#: Takes the purchases that are overdue and of which nobody was told, so that of several processes one tells.
ALARM: Final = Query(
    sa.update(purchases)
    .where(_PENDING, purchases.c.created_at < bindparam("before"), purchases.c.alarmed_at.is_(None))
    .values(alarmed_at=bindparam("now"))
    .returning(*_COLUMNS),
    Pending,
)


@functools.cache
def _pending(*, further: bool) -> Query[Pending]:
    """Return the query for a page of pending purchases, the oldest first."""
    statement = sa.select(*_COLUMNS).where(_PENDING)
    if further:
        place = sa.tuple_(purchases.c.created_at, purchases.c.id)
        after = sa.tuple_(
            bindparam("after", type_=purchases.c.created_at.type), bindparam("after_id", type_=purchases.c.id.type)
        )
        statement = statement.where(place > after)
    return Query(statement.order_by(purchases.c.created_at, purchases.c.id).limit(bindparam("limit")), Pending)


class MoneyInFlight:
    """Watches and lists purchases that are pending."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx

    async def watch(self) -> None:
        """Show operators how many are pending and how long, and log each that is overdue, once."""
        now = self._ctx.clock.now()
        found = await self._ctx.db.one(SUM)
        seconds = 0.0 if found.since is None else max(0.0, (now - found.since).total_seconds())
        gauges = self._ctx.gauges
        gauges.set("purchases_in_flight", found.count, "Purchases that are neither completed nor given up")
        gauges.set("purchases_in_flight_seconds", seconds, "Age of the oldest of them")
        if seconds > self._ctx.settings.alarm_after:
            await self._alarm(now)

    async def list(self, query: PageQuery) -> Page[InFlight]:
        """Return a page of what is pending, the oldest first."""
        after = query.after(tuple[datetime, UUID])
        place = {} if after is None else {"after": after[0], "after_id": after[1]}
        rows = await self._ctx.db.all(_pending(further=bool(place)), limit=query.limit + 1, **place)
        now = self._ctx.clock.now()
        found = page(rows, query, lambda row: (row.created_at, row.id))
        return Page([self._aged(row, now) for row in found.items], found.next)

    async def _alarm(self, now: datetime) -> None:
        before = now - timedelta(seconds=self._ctx.settings.alarm_after)
        for one in await self._ctx.db.all(ALARM, before=before, now=now):
            age = (now - one.created_at).total_seconds()
            facts = {"purchase": str(one.id), "amount": one.amount, "currency": one.currency, "seconds": round(age)}
            self._ctx.log.error("purchase is pending for too long", action="money_in_flight", **facts)

    def _aged(self, row: Pending, now: datetime) -> InFlight:
        age = (now - row.created_at).total_seconds()
        overdue = age > self._ctx.settings.alarm_after
        return InFlight(**msgspec.structs.asdict(row), age=age, overdue=overdue)
