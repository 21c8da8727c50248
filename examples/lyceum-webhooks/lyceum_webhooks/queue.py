"""The queue: deliveries, from the event to what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, new_id
from kernel.database import Command, Query, Session, Timestamp
from lyceum_webhooks.settings import WebhooksSettings
from lyceum_webhooks.tables import DELIVERED, FAILED, HELD, WAITING, deliveries, endpoints, messages

State = Literal["waiting", "delivered", "failed", "held"]
LAST_ID: Final = UUID(int=2**128 - 1)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one endpoint; *status* and what follows are of the last try, and empty during one."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID  #: the header `webhook-id`
    type: str
    time: datetime  #: when it happened
    state: State
    attempts: int
    created_at: datetime
    next_at: datetime  #: of a waiting one: when it is due, or is taken up again
    finished_at: datetime | None
    status: int | None  #: of the response; null where there was none
    milliseconds: int | None
    error: str
    excerpt: str  #: the beginning of the response


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that this process alone sends, until its claim ends."""

    id: UUID
    endpoint_id: UUID
    message_id: UUID
    attempts: int
    claim: int


_NOW: Final = bindparam("now", type_=Timestamp())
_OF_ENDPOINT: Final = deliveries.c.endpoint_id == bindparam("endpoint")
_SHOWN: Final = sa.select(
    *(deliveries.c[name] for name in ("id", "endpoint_id")),
    messages.c.id.label("event_id"),
    messages.c.type,
    messages.c.time,
    *(deliveries.c[name] for name in Delivery.__struct_fields__[5:]),
).join(messages, messages.c.id == deliveries.c.message_id)
_NEWEST: Final = (
    _SHOWN.where(_OF_ENDPOINT, deliveries.c.id < bindparam("before"))
    .order_by(deliveries.c.id.desc())
    .limit(bindparam("limit", type_=sa.Integer()))
)
ONE: Final = Query(_SHOWN.where(deliveries.c.id == bindparam("delivery")), Delivery)
OF_EVENT: Final = Query(_SHOWN.where(_OF_ENDPOINT, deliveries.c.message_id == bindparam("event")), Delivery)
NEWEST: Final = Query(_NEWEST, Delivery)
NEWEST_IN_STATE: Final = Query(_NEWEST.where(deliveries.c.state == bindparam("in_state")), Delivery)

KEEP: Final = Command(
    insert(messages)
    .values({column.name: bindparam(column.name) for column in messages.c})
    .on_conflict_do_nothing(index_elements=["id"])
)
ADD: Final = Command(
    insert(deliveries)
    .values({name: bindparam(name) for name in ("id", "endpoint_id", "message_id", "created_at")})
    .values(next_at=bindparam("created_at"), state=WAITING, attempts=0, claim=0, error="", excerpt="")
    .on_conflict_do_nothing(index_elements=["endpoint_id", "message_id"])
)

_DUE: Final = (
    sa.select(deliveries.c.id)
    .join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
    .where(
        deliveries.c.state == sa.literal_column(f"'{WAITING}'"),
        deliveries.c.next_at <= _NOW,
        endpoints.c.disabled_at.is_(None),
        sa.or_(endpoints.c.paused_until.is_(None), endpoints.c.paused_until <= _NOW),
    )
    .order_by(deliveries.c.next_at, deliveries.c.id)
    .limit(bindparam("most", type_=sa.Integer()))
    .with_for_update(of=deliveries, skip_locked=True)
    .cte("due")
)
#: Takes what has waited longest; the conditions hold for each row as it is when it is changed.
CLAIM: Final = Query(
    sa.update(deliveries)
    .where(deliveries.c.id.in_(sa.select(_DUE.c.id)), deliveries.c.state == WAITING, deliveries.c.next_at <= _NOW)
    .values(
        next_at=bindparam("claimed_until", type_=Timestamp()),
        attempts=deliveries.c.attempts + 1,
        claim=deliveries.c.claim + 1,
        status=None,
        milliseconds=None,
        error="",
        excerpt="",
    )
    .returning(*(deliveries.c[name] for name in Claimed.__struct_fields__)),
    Claimed,
)

_MINE: Final = sa.and_(deliveries.c.id == bindparam("delivery"), deliveries.c.claim == bindparam("of_claim"))
_RESULTS: Final = ("status", "milliseconds", "error", "excerpt")
_RESULT: Final[dict[str, sa.BindParameter[object]]] = {name: bindparam(f"the_{name}") for name in _RESULTS}
#: Also of what was held meanwhile: it has arrived.
FINISH: Final = Command(
    sa.update(deliveries)
    .where(_MINE, deliveries.c.state.in_((WAITING, HELD)))
    .values(state=DELIVERED, finished_at=_NOW, **_RESULT)
)
POSTPONE: Final = Command(
    sa.update(deliveries)
    .where(_MINE, deliveries.c.state == WAITING)
    .values(next_at=bindparam("until", type_=Timestamp()), **_RESULT)
)
GIVE_UP: Final = Command(
    sa.update(deliveries).where(_MINE, deliveries.c.state == WAITING).values(state=FAILED, finished_at=_NOW, **_RESULT)
)

_AGAIN: Final = {"state": WAITING, "next_at": _NOW, "attempts": 0, "finished_at": None}
AGAIN: Final = Command(
    sa.update(deliveries)
    .where(deliveries.c.id == bindparam("delivery"), deliveries.c.state != WAITING)
    .values(**_AGAIN)
)
AGAIN_SINCE: Final = Command(
    sa.update(deliveries)
    .where(
        _OF_ENDPOINT,
        deliveries.c.state.in_((FAILED, HELD)),
        deliveries.c.created_at >= bindparam("begin", type_=Timestamp()),
    )
    .values(**_AGAIN)
)

_LONG_AGO: Final = bindparam("before", type_=Timestamp())
FORGET: Final = Command(sa.delete(deliveries).where(deliveries.c.created_at < _LONG_AGO, deliveries.c.state != WAITING))
FORGET_MESSAGES: Final = Command(
    sa.delete(messages).where(
        messages.c.created_at < _LONG_AGO,
        ~sa.exists().where(deliveries.c.message_id == messages.c.id).correlate(messages),
    )
)


class Queue:
    """Holds what is to be told, and to whom."""

    def __init__(self, ctx: Context[WebhooksSettings]) -> None:
        self._db = ctx.db
        self._clock = ctx.clock
        self._keep = timedelta(days=ctx.settings.keep_days)

    async def add(
        self, session: Session, to: Iterable[UUID], *, event_id: UUID, kind: str, time: datetime, data: bytes
    ) -> None:
        """Have the endpoints *to* told of the event, each once however often this is asked."""
        now = self._clock.now()
        await session.run(KEEP, id=event_id, type=kind, time=time, data=data, created_at=now)
        rows = [{"id": new_id(), "endpoint_id": one, "message_id": event_id, "created_at": now} for one in to]
        await session.run_many(ADD, rows)

    async def claim(self, most: int, lease: timedelta) -> list[Claimed]:
        """Return up to *most* deliveries that are due, for this process alone until *lease* is over."""
        now = self._clock.now()
        return await self._db.all(CLAIM, most=most, now=now, claimed_until=now + lease)

    async def forget(self) -> None:
        """Delete what is kept no longer."""
        before = self._clock.now() - self._keep
        await self._db.run(FORGET, before=before)
        await self._db.run(FORGET_MESSAGES, before=before)
