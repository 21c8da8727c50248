"""Workers: one for each handler, which takes what is due from the inbox and hands it to the handler.

Order is kept for each source and key: while an event waits for its next attempt, later ones of its key wait behind it.
A dead event lets them pass.

Events that wait together are handled in one transaction, since its cost is many times that of a small handler. If one
of them fails, all are rolled back and handled one by one, so that a failure counts for the event that caused it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from structlog.contextvars import bound_contextvars
from structlog.typing import FilteringBoundLogger

from kernel.clock import Clock
from kernel.containment.blame import told
from kernel.containment.breaker import Fault
from kernel.containment.containment import Containment
from kernel.correlation import Cause, caused_by
from kernel.database import Command, Database, Query, Session, Timestamp
from kernel.database.tables import inbox
from kernel.events.deliveries import Deliveries, Undeliverable
from kernel.events.event import Delivery, Event, EventHandler
from kernel.events.settings import EventSettings
from kernel.failpoints import failpoint

BACKOFF: Final = 2.6  # each delay is so many times the one before: 1 s to 5 min in seven steps
JITTER: Final = 0.2  # of the delay, either way
LONGEST_ERROR: Final = 2000  # characters
TOGETHER: Final = 50  # events, at most, in one transaction
TOGETHER_SECONDS: Final = 0.1  # after which a transaction takes no further event

HANDLED: Final = failpoint("events.handled")  # in the handler's transaction, before the mark that it is done


class Row(msgspec.Struct, frozen=True):
    """One event in the inbox of one handler; *before* is the one that waits just before it with the same key."""

    seq: int
    id: UUID  #: the event's
    source: str
    type: str
    key: str
    data: bytes
    correlation_id: UUID
    causation_id: UUID | None
    created_at: datetime
    attempts: int
    before: int | None


# Literals, because the partial indexes are used only where the planner can see the state.
WAITING: Final[sa.ColumnElement[str]] = sa.literal_column("'waiting'")
_same_key = inbox.alias("same_key")


def _of_same_key(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    return (
        sa.select(*columns)
        .where(
            _same_key.c.handler == inbox.c.handler,
            _same_key.c.source == inbox.c.source,
            _same_key.c.key == inbox.c.key,
            _same_key.c.state == WAITING,
        )
        .correlate(inbox)
    )


_before = _of_same_key(sa.func.max(_same_key.c.seq)).where(_same_key.c.seq < inbox.c.seq).scalar_subquery()
_oldest = _of_same_key(sa.func.min(_same_key.c.seq)).scalar_subquery()
_next_at_of_oldest = _of_same_key(_same_key.c.next_at).order_by(_same_key.c.seq).limit(1).scalar_subquery()


def _due(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    return (
        sa.select(*columns)
        .where(
            inbox.c.handler == bindparam("of_handler"),
            inbox.c.state == WAITING,
            inbox.c.next_at <= bindparam("now", type_=Timestamp),
        )
        .order_by(inbox.c.next_at, inbox.c.seq)
    )


NEXT: Final = Query(
    _due(
        inbox.c.seq,
        inbox.c.event_id.label("id"),
        *(inbox.c[name] for name in Row.__struct_fields__[2:-1]),
        _before.label("before"),
    )
    .limit(TOGETHER)
    .with_for_update(of=inbox, skip_locked=True),
    Row,
)

#: Is there anything to take: from another process, or for another attempt? Asked now and then without a transaction.
#: The subquery can not become a join: whatever the planner knows of the table, it looks at one row after the other in
#: the order of `ix_inbox_due` and stops at the first that is the oldest of its key.
ANY_DUE: Final = Query(_due(inbox.c.seq).where(inbox.c.seq == _oldest).limit(1), int)

#: What waits behind an event that is not due is not due either, so that it hides nothing that is.
HOLD_BEHIND: Final = Command(
    sa.update(inbox)
    .where(inbox.c.seq.in_(bindparam("seqs", expanding=True)), _next_at_of_oldest > bindparam("now", type_=Timestamp))
    .values(next_at=_next_at_of_oldest)
)

DONE: Final = Command(
    sa.update(inbox)
    .where(inbox.c.seq.in_(bindparam("seqs", expanding=True)))
    .values(
        state=sa.literal_column("'done'"),
        attempts=inbox.c.attempts + 1,
        handled_at=bindparam("now", type_=Timestamp),
        last_error=sa.null(),
    )
)

_made = bindparam("made", type_=sa.Integer)
FAILED: Final = Command(
    sa.update(inbox)
    .where(inbox.c.seq == bindparam("of_seq"), inbox.c.state == WAITING, inbox.c.attempts == _made - 1)
    .values(
        state=bindparam("new_state"),
        attempts=_made,
        next_at=bindparam("again_at", type_=Timestamp),
        last_error=bindparam("reason"),
    )
)

#: What waits behind a failed event waits as long, so that nobody looks at it in vain meanwhile.
HOLD_BACK: Final = Command(
    sa.update(inbox)
    .where(
        inbox.c.handler == bindparam("of_handler"),
        inbox.c.source == bindparam("of_source"),
        inbox.c.key == bindparam("of_key"),
        inbox.c.state == WAITING,
        inbox.c.next_at < bindparam("again_at", type_=Timestamp),
    )
    .values(next_at=bindparam("again_at", type_=Timestamp))
)


class Worker:
    """Runs one handler, one event after the other in this process."""

    def __init__(
        self,
        plugin: str,
        db: Database,
        handler: EventHandler,
        *,
        slots: asyncio.Semaphore,
        settings: EventSettings,
        containment: Containment,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._plugin = plugin
        self._containment = containment
        self._rests = containment.of(plugin).rests
        self._db = db
        self._handler = handler
        self._slots = slots
        self._one_at_a_time = asyncio.Lock()
        self._settings = settings
        self._clock = clock
        self._log = log.bind(handler=handler.name)
        self._deliveries = Deliveries(handler, settings)

    async def is_due(self) -> bool:
        """Return whether there is anything to take."""
        return await self._db.first(ANY_DUE, of_handler=self._handler.name, now=self._clock.now()) is not None

    async def drain(self, until: Callable[[], bool] = lambda: False) -> int:
        """Handle all that is due, or stop after the event at which *until* says so; return how many were tried."""
        tried = 0
        while not (until() or self._rests()):
            async with self._one_at_a_time:
                now = await self._take(TOGETHER, until)
            if not now:
                break
            tried += now
        return tried

    async def _take(self, most: int, until: Callable[[], bool]) -> int:
        """Handle up to *most* events; return how many were tried."""
        rows: list[Row] = []
        try:
            async with self._slots, self._db.transaction() as session:
                rows = (await self._next(session))[:most]
                return await self._handle_together(session, rows, until)
        except Exception as error:
            if not rows:
                raise
            if len(rows) == 1:
                await self._failed(rows[0], error)
                return 1
        return await self._take_one_by_one(len(rows), until)

    async def _next(self, session: Session) -> list[Row]:
        """Return what can be taken now, each key's oldest first."""
        while True:
            now = self._clock.now()
            rows = await session.all(NEXT, of_handler=self._handler.name, now=now)
            ready = _following(rows)
            behind = sorted({row.seq for row in rows} - {row.seq for row in ready})
            held = await session.run(HOLD_BEHIND, seqs=behind, now=now) if behind else 0
            if ready or not held:
                return ready

    async def _take_one_by_one(self, count: int, until: Callable[[], bool]) -> int:
        tried = 0
        while tried < count and not until() and not self._rests() and await self._take(1, until):
            tried += 1
        return tried

    async def _handle_together(self, session: Session, rows: Sequence[Row], until: Callable[[], bool]) -> int:
        """Handle *rows* until the time of the transaction is up, and mark what was handled as done."""
        handled: list[int] = []
        deliveries = [self._deliveries.make(row, row.source) for row in rows]
        settled = await self._deliveries.settled(session, deliveries)
        began = monotonic()
        for row, delivery in zip(rows, deliveries, strict=True):
            if delivery.id not in settled:
                await self._handle(session, delivery)
            handled.append(row.seq)
            if until() or monotonic() - began > TOGETHER_SECONDS:
                break
        if handled:
            await HANDLED()
            await session.run(DONE, seqs=handled, now=self._clock.now())
        return len(handled)

    async def _handle(self, session: Session, delivery: Delivery[Event]) -> None:
        with (
            caused_by(Cause(delivery.correlation_id, delivery.id)),
            bound_contextvars(event_id=str(delivery.id), handler=self._handler.name),
        ):
            async with asyncio.timeout(self._settings.handler_timeout):
                await self._call(session, delivery)

    async def _call(self, session: Session, delivery: Delivery[Event]) -> None:
        try:
            await self._handler.handler(session, delivery)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # The handler awaited something that was cancelled; nobody wants this worker to end.
            raise RuntimeError("something that the handler waited for was cancelled") from error

    def _count(self, row: Row, error: Exception) -> None:
        if isinstance(error, Undeliverable):
            return  # nothing of the plugin's ran
        what, who = f"the handler {self._handler.name!r} of {row.type}", str(row.id)
        if isinstance(error, TimeoutError) and not error.args:
            self._containment.late(self._plugin, error, what=what, who=who)
        else:
            self._containment.failed(self._plugin, Fault.EVENT, error, what=what, who=who)

    async def _failed(self, row: Row, error: Exception) -> None:
        self._count(row, error)
        attempts = row.attempts + 1
        dead = isinstance(error, Undeliverable) or attempts >= self._settings.attempts
        delay = delay_after(attempts, self._settings)
        reason = _describe(error, self._settings)
        again_at = self._clock.now() + timedelta(seconds=delay)
        async with self._db.transaction() as session:
            state = "dead" if dead else "waiting"
            values = {"new_state": state, "made": attempts, "again_at": again_at, "reason": reason}
            if not await session.run(FAILED, of_seq=row.seq, **values):
                return  # another process took it in the moment since it was rolled back, and failed as well
            if not dead:
                keys = {"of_handler": self._handler.name, "of_source": row.source, "of_key": row.key}
                await session.run(HOLD_BACK, again_at=again_at, **keys)
        facts = {"event_id": str(row.id), "type": row.type, "source": row.source, "attempts": attempts}
        if dead:
            facts["remedy"] = "mend the cause, then: lyceum events retry"
            self._log.error("event is dead", action="event.dead", reason=reason, exc_info=error, **facts)
        else:
            self._log.warning("event handler failed", action="event.failed", reason=reason, again_in=delay, **facts)


def _following(rows: Sequence[Row]) -> list[Row]:
    """Return those of *rows* before which none of their key is left out, in order.

    One that is left out is handled by another process now, or waits for its next attempt.
    """
    found: dict[int, Row] = {}
    for row in sorted(rows, key=lambda row: row.seq):
        if row.before is None or row.before in found:
            found[row.seq] = row
    return list(found.values())


def delay_after(attempts: int, settings: EventSettings) -> float:
    """Return the seconds to wait after so many failed attempts."""
    delay = min(settings.longest_delay, settings.first_delay * BACKOFF ** (attempts - 1))
    return delay * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311, no secret


def _describe(error: Exception, settings: EventSettings) -> str:
    if isinstance(error, TimeoutError) and not error.args:
        return f"the handler did not end within {settings.handler_timeout:g} s"
    return told(error)[:LONGEST_ERROR]
