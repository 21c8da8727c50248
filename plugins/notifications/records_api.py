"""Why, and why not: what was decided about everything that concerned somebody, for them and for who supports them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import SIGNED_IN, Context, Page, PageQuery, Request, Route, get, page, problems
from kernel.database import Query
from plugins.notifications.deciding import Because, Decision, Outcome
from plugins.notifications.permissions import SUPPORT
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import deliveries, notices, parcels

_LAST: Final = UUID(int=2**128 - 1)  # behind every other


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided for one channel, and what came of it."""

    channel: str
    decision: Decision
    because: Because
    due_at: datetime | None  #: null where it never goes
    ended_at: datetime | None
    result: str  #: `sent`, `empty`, `unreachable` or `failed`; empty while it waits
    failure: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided about one event for one person."""

    notice_id: UUID
    event_id: UUID
    kind: str
    topic: str  #: what the person follows; empty where the event concerns them alone
    at: datetime
    outcome: Outcome | None  #: of the tray; null while it is not decided
    ways: list[Way]


class _Noted(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    event_id: UUID
    kind: str
    topic: str
    at: datetime
    outcome: Outcome | None


class _Decided(Way, frozen=True, kw_only=True):
    notice_id: UUID


NOTED: Final = Query(
    sa.select(*(notices.c[name] for name in _Noted.__struct_fields__))
    .where(notices.c.user_id == bindparam("person"), notices.c.id < bindparam("before"))
    .order_by(notices.c.id.desc())
    .limit(bindparam("limit")),
    _Noted,
)
_EMPTY: Final = sa.literal_column("''", sa.Text)
DECIDED: Final = Query(
    sa.select(
        deliveries.c.channel,
        deliveries.c.decision,
        deliveries.c.because,
        parcels.c.due_at,
        parcels.c.ended_at,
        sa.func.coalesce(parcels.c.result, _EMPTY).label("result"),
        sa.func.coalesce(parcels.c.failure, _EMPTY).label("failure"),
        deliveries.c.notice_id,
    )
    .join_from(deliveries, parcels, parcels.c.id == deliveries.c.parcel_id, isouter=True)
    .where(deliveries.c.notice_id.in_(bindparam("ids", expanding=True)))
    .order_by(deliveries.c.notice_id, deliveries.c.channel),
    _Decided,
)


class RecordsApi:
    """Answers why somebody got something, and why not."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._db = ctx.db

    def routes(self) -> Iterable[Route]:
        """Return every route."""
        bad = (problems.InvalidCursor,)
        yield get("/decisions", self.own, permission=SIGNED_IN, problems=bad)
        yield get("/people/{user_id}/decisions", self.of, permission=SUPPORT, problems=bad)

    async def own(self, request: Request, query: PageQuery) -> Page[Record]:
        """List what was decided about all that concerned oneself, the newest first, whether or not it was told."""
        return await self._records(request.principal.id, query)

    async def of(self, request: Request, user_id: UUID, query: PageQuery) -> Page[Record]:
        """List what was decided about all that concerned somebody, for who supports them: no names, no words."""
        return await self._records(user_id, query)

    async def _records(self, person: UUID, query: PageQuery) -> Page[Record]:
        before = query.after(UUID) or _LAST
        found = await self._db.all(NOTED, person=person, before=before, limit=query.limit + 1)
        shown = page(found, query, lambda one: one.id)
        ways = await self._ways([one.id for one in shown.items])
        return Page([_record(one, ways.get(one.id, [])) for one in shown.items], shown.next)

    async def _ways(self, ids: Sequence[UUID]) -> dict[UUID, list[Way]]:
        found: dict[UUID, list[Way]] = {}
        for one in await self._db.all(DECIDED, ids=ids) if ids else ():
            told = {name: getattr(one, name) for name in Way.__struct_fields__}
            found.setdefault(one.notice_id, []).append(Way(**told))
        return found


def _record(noted: _Noted, ways: list[Way]) -> Record:
    return Record(
        notice_id=noted.id,
        event_id=noted.event_id,
        kind=noted.kind,
        topic=noted.topic,
        at=noted.at,
        outcome=noted.outcome,
        ways=ways,
    )
