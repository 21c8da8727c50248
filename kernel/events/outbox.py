"""The outbox: what a plugin tells, written in the transaction that made it true.

The outbox is also the log that every reader can go back to. Its order is `position`, which the relay gives out; a row
without one is not published yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import errors
from kernel.clock import Clock
from kernel.correlation import current_cause
from kernel.database import Command, Database, Query, Session, outbox_follow
from kernel.database.tables import outbox
from kernel.events.broadcast import Broadcast
from kernel.events.event import Event
from kernel.failpoints import failpoint
from kernel.ids import new_id

BATCH: Final = 500  # events read or published in one go

WRITTEN: Final = failpoint("events.written")  # in the transaction that made the event true


class Entry(msgspec.Struct, frozen=True):
    """One published event, as the log holds it and the transport carries it."""

    position: int
    id: UUID
    type: str
    key: str
    data: bytes
    correlation_id: UUID
    causation_id: UUID | None
    created_at: datetime


ENTRY_COLUMNS: Final = tuple(outbox.c[name] for name in Entry.__struct_fields__)

WRITE: Final = Command(sa.insert(outbox).values(outbox_follow().values))

AFTER: Final = Query(
    sa.select(*ENTRY_COLUMNS)
    .where(outbox.c.position > bindparam("after", type_=sa.BigInteger))
    .order_by(outbox.c.position)
    .limit(BATCH),
    Entry,
)

LAST: Final = Query(sa.select(sa.func.coalesce(sa.func.max(outbox.c.position), 0)), int)


class Log:
    """The published events of one plugin, in order."""

    def __init__(self, plugin: str, db: Database) -> None:
        self.plugin = plugin
        self._db = db

    async def after(self, position: int) -> list[Entry]:
        """Return the first entries behind *position*, at most `BATCH`."""
        return await self._db.all(AFTER, after=position)

    async def last(self) -> int:
        """Return the position of the newest entry, 0 before the first."""
        return await self._db.one(LAST)


class Outbox:
    """The `ctx.events` of one plugin."""

    def __init__(
        self,
        plugin: str,
        publishes: tuple[type[Event], ...],
        *,
        clock: Clock,
        broadcast: Broadcast,
        wake: Callable[[], None],
    ) -> None:
        self._plugin = plugin
        self._publishes = frozenset(publishes)
        self._clock = clock
        self._broadcast = broadcast
        self._wake = wake

    async def publish(self, session: Session, event: Event) -> UUID:
        values = self.row(event)
        await session.run(WRITE, **values)
        await WRITTEN()
        session.after_commit(self._wake)
        return values["event_id"]  # type: ignore[return-value]

    async def publish_all(self, session: Session, events: Sequence[Event]) -> None:
        if not events:
            return
        await session.run_many(WRITE, [self.row(event) for event in events])
        await WRITTEN()
        session.after_commit(self._wake)

    def row(self, event: Event, prefix: str = "event_") -> dict[str, object]:
        if type(event) not in self._publishes:
            raise errors.InvalidDeclaration(
                f"publishes {event.name}, which its manifest does not list; "
                f"add {type(event).__name__} to `publishes` of the manifest",
                plugin=self._plugin,
            )
        cause = current_cause()
        return {
            f"{prefix}id": new_id(),
            f"{prefix}type": event.name,
            f"{prefix}key": str(getattr(event, event.key)),
            f"{prefix}data": msgspec.json.encode(event),
            f"{prefix}correlation_id": cause.correlation,
            f"{prefix}causation_id": cause.causation,
            f"{prefix}created_at": self._clock.now(),
        }

    def announce(self) -> None:
        self._wake()

    async def broadcast(self, topic: str, message: bytes) -> None:
        await self._broadcast.send(topic, message)

    def on_broadcast(self, topic: str, listener: Callable[[bytes], None]) -> None:
        self._broadcast.listen(topic, listener)
