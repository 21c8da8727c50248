"""Retention: published and handled events are kept for a while, then deleted in small batches."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.clock import Clock
from kernel.database import Command, Database, Timestamp
from kernel.database.tables import inbox, outbox
from kernel.events.settings import EventSettings

BATCH: Final = 1_000  # rows

_oldest = outbox.alias("oldest")
_newest = outbox.alias("newest")

#: The newest row stays for ever: the next position is one more than its own, and a position is never given out twice.
#: Positions and times of publication rise together, so the oldest rows are found without an index on the time.
DELETE_PUBLISHED: Final = Command(
    sa.delete(outbox).where(
        outbox.c.seq.in_(
            sa.select(_oldest.c.seq).where(_oldest.c.position.is_not(None)).order_by(_oldest.c.position).limit(BATCH)
        ),
        outbox.c.published_at < bindparam("before", type_=Timestamp),
        outbox.c.position < sa.select(sa.func.max(_newest.c.position)).scalar_subquery(),
    )
)

_handled = inbox.alias("handled")

DELETE_HANDLED: Final = Command(
    sa.delete(inbox).where(
        inbox.c.seq.in_(
            sa.select(_handled.c.seq)
            .where(_handled.c.handled_at < bindparam("before", type_=Timestamp), _handled.c.state == "done")
            .order_by(_handled.c.handled_at)
            .limit(BATCH)
        )
    )
)


class Retention:
    """Deletes what one plugin no longer has to keep. Dead events stay until somebody retries them."""

    def __init__(self, db: Database, *, settings: EventSettings, clock: Clock) -> None:
        self._db = db
        self._settings = settings
        self._clock = clock

    async def sweep(self) -> int:
        """Delete everything that is old enough; return how many rows went."""
        now = self._clock.now()
        published = await self._all(DELETE_PUBLISHED, before=now - self._settings.outbox_retention)
        return published + await self._all(DELETE_HANDLED, before=now - self._settings.inbox_retention)

    async def _all(self, delete: Command, **values: object) -> int:
        total = 0
        while deleted := await self._db.run(delete, **values):
            total += deleted
        return total
