"""Keeping: what is long past is removed, and what was never taken is given up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.database import Command, Timestamp
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import deliveries, notices, parcels

EVERY: Final = 3600.0  # seconds
BATCH: Final = 1000  # rows
LOST_AFTER: Final = timedelta(days=7)  # of a channel that is off

_OLD: Final = sa.select(notices.c.id).where(notices.c.id < bindparam("before_id")).order_by(notices.c.id).limit(BATCH)
FORGET_NOTICES: Final = Command(sa.delete(notices).where(notices.c.id.in_(_OLD)))
_EMPTIED: Final = (
    sa.select(parcels.c.id)
    .where(
        parcels.c.ended_at < bindparam("before", type_=Timestamp()),
        ~sa.exists().where(deliveries.c.parcel_id == parcels.c.id),
    )
    .limit(BATCH)
)
FORGET_PARCELS: Final = Command(sa.delete(parcels).where(parcels.c.id.in_(_EMPTIED)))
GIVE_UP: Final = Command(
    sa.update(parcels)
    .where(parcels.c.ended_at.is_(None), parcels.c.next_at < bindparam("before", type_=Timestamp()))
    .values(
        closed_at=sa.func.coalesce(parcels.c.closed_at, bindparam("now", type_=Timestamp())),
        ended_at=bindparam("now", type_=Timestamp()),
        result=sa.literal_column("'failed'"),
        failure=sa.literal_column("'the channel was off for a week'"),
    )
)


class Keeping:
    """Tidies up."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._ctx = ctx

    def run_in_background(self) -> None:
        """Tidy up every hour."""
        self._ctx.tasks.every(EVERY, self.tidy, name="keeping")

    async def tidy(self) -> None:
        """Remove what is older than `keep_days`, and give up what waited for a week."""
        now, db = self._ctx.clock.now(), self._ctx.db
        before = now - timedelta(days=self._ctx.settings.keep_days)
        while await db.run(FORGET_NOTICES, before_id=_first_id(before)) == BATCH:
            pass
        while await db.run(FORGET_PARCELS, before=before) == BATCH:
            pass
        await db.run(GIVE_UP, before=now - LOST_AFTER, now=now)


def _first_id(moment: datetime) -> UUID:
    """Return the id before all that are made from *moment* on: they begin with it in milliseconds."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
