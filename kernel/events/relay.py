"""The relay: gives committed events their position in the log and hands them to the transport."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.clock import Clock
from kernel.database import Database, Query, Session, Timestamp
from kernel.database.tables import outbox
from kernel.events.outbox import BATCH, ENTRY_COLUMNS, Entry
from kernel.events.transport import Transport
from kernel.failpoints import failpoint

BUSY_PAUSE: Final = 0.02  # seconds, while another process publishes

POSITIONED: Final = failpoint("events.positioned")  # before the commit
PUBLISHED: Final = failpoint("events.published")  # after it, before the transport has them
SENT: Final = failpoint("events.sent")

_waiting = outbox.alias("waiting")
_published = outbox.alias("published")
_last = sa.select(sa.func.max(_published.c.position)).scalar_subquery()
_batch = (
    sa.select(
        _waiting.c.seq,
        (sa.func.coalesce(_last, 0) + sa.func.row_number().over(order_by=_waiting.c.seq)).label("position"),
    )
    .where(_waiting.c.position.is_(None))
    .order_by(_waiting.c.seq)
    .limit(BATCH)
    .subquery("batch")
)

#: Is there anything to do? Asked without a lock, so that an idle relay costs one look into a small index.
ANY_WAITING: Final = Query(sa.select(outbox.c.seq).where(outbox.c.position.is_(None)).limit(1), int)

#: Never "seq > last": a transaction that commits late makes a smaller seq visible late.
PUBLISH: Final = Query(
    sa.update(outbox)
    .where(outbox.c.seq == _batch.c.seq)
    .values(position=_batch.c.position, published_at=bindparam("now", type_=Timestamp))
    .returning(*ENTRY_COLUMNS),
    Entry,
)

TRY_LOCK: Final = Query(
    sa.select(sa.func.pg_try_advisory_xact_lock(bindparam("lock", type_=sa.BigInteger)).label("locked")), bool
)


class Relay:
    """Publishes one plugin's outbox; any number of processes may try at once."""

    def __init__(self, plugin: str, db: Database, *, transport: Transport, clock: Clock) -> None:
        self._plugin = plugin
        self._db = db
        self._transport = transport
        self._clock = clock
        self._lock = int.from_bytes(hashlib.sha256(f"relay:{plugin}".encode()).digest()[:8], signed=True)

    async def publish(self) -> int:
        """Publish all that waits now; return how many events."""
        published = 0
        while await self._db.first(ANY_WAITING) is not None:
            batch = await self._publish_batch()
            published += batch
            if 0 < batch < BATCH:
                break
        return published

    async def _publish_batch(self) -> int:
        async with self._db.transaction() as session:
            alone = await self._is_alone(session)
            entries = await session.all(PUBLISH, now=self._clock.now()) if alone else []
            await POSITIONED()
        if entries:
            await PUBLISHED()
            # After the commit: what the transport carries has its position for good. What it never gets, because the
            # process died here, the readers miss by its position and take from the log.
            await self._transport.send(self._plugin, sorted(entries, key=lambda entry: entry.position))
            await SENT()
        if not alone:
            await asyncio.sleep(BUSY_PAUSE)
        return len(entries)

    async def _is_alone(self, session: Session) -> bool:
        # SQLite needs no lock of ours: a transaction is the only writer of its file.
        return self._db.dialect == "sqlite" or await session.one(TRY_LOCK, lock=self._lock)
