"""Endpoints: who is told of which events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, new_id, problems
from kernel.contracts.audit import ActRecorded
from kernel.database import Command, Query, Session, Timestamp
from lyceum_webhooks.events import EndpointDisabled
from lyceum_webhooks.settings import WebhooksSettings
from lyceum_webhooks.signing import new_secret
from lyceum_webhooks.tables import HELD, WAITING, deliveries, endpoints
from lyceum_webhooks.targets import without_query

MOST: Final = 100  # endpoints: each event is compared with all of them
_FIRST: Final = UUID(int=0)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told of which events."""

    id: UUID
    url: str
    description: str
    event_types: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None  #: null while it is told
    disabled_reason: str
    failing_since: datetime | None  #: when it first failed since it last succeeded


class Listening(msgspec.Struct, frozen=True):
    """What decides whether an endpoint is told of an event."""

    id: UUID
    event_types: tuple[str, ...]
    since: datetime


_SHOWN: Final = sa.select(*(endpoints.c[name] for name in Endpoint.__struct_fields__))
_THIS: Final = endpoints.c.id == bindparam("endpoint")
_NOW: Final = bindparam("now", type_=Timestamp())
ONE: Final = Query(_SHOWN.where(_THIS), Endpoint)
FOLLOWING: Final = Query(
    _SHOWN.where(endpoints.c.id > bindparam("after")).order_by(endpoints.c.id).limit(bindparam("limit")), Endpoint
)
LISTENING: Final = Query(
    sa.select(endpoints.c.id, endpoints.c.event_types, endpoints.c.since).where(endpoints.c.disabled_at.is_(None)),
    Listening,
)
COUNT: Final = Query(sa.select(sa.func.count().label("endpoints")).select_from(endpoints), int)
ADD: Final = Command(
    sa.insert(endpoints).values(
        **{name: bindparam(name) for name in ("id", "url", "description", "event_types", "secret", "created_at")},
        since=bindparam("created_at"),
        disabled_reason="",
        failures=0,
    )
)
CHANGE: Final = Command(
    sa.update(endpoints)
    .where(_THIS)
    .values({name: bindparam(f"new_{name}") for name in ("url", "description", "event_types")})
)
DELETE: Final = Command(sa.delete(endpoints).where(_THIS))
#: Affects no row if somebody did so before.
DISABLE: Final = Command(
    sa.update(endpoints)
    .where(_THIS, endpoints.c.disabled_at.is_(None))
    .values(disabled_at=_NOW, disabled_reason=bindparam("reason"))
)
HOLD: Final = Command(
    sa.update(deliveries)
    .where(deliveries.c.endpoint_id == bindparam("endpoint"), deliveries.c.state == WAITING)
    .values(state=HELD)
)
ENABLE: Final = Command(
    sa.update(endpoints)
    .where(_THIS, endpoints.c.disabled_at.is_not(None))
    .values(disabled_at=None, disabled_reason="", failing_since=None, failures=0, paused_until=None, since=_NOW)
)
ROTATE: Final = Command(
    sa.update(endpoints)
    .where(_THIS)
    .values(secret=bindparam("new_secret"), former_secret=endpoints.c.secret, former_until=bindparam("until"))
)


class Endpoints:
    """Makes, changes and finds endpoints."""

    def __init__(self, ctx: Context[WebhooksSettings]) -> None:
        self._ctx = ctx

    async def find(self, session: Session, endpoint_id: UUID) -> Endpoint:
        """Return the endpoint, or raise `problems.NotFound`."""
        found = await session.first(ONE, endpoint=endpoint_id)
        if found is None:
            raise problems.NotFound
        return found

    async def list(self, after: UUID | None, limit: int) -> list[Endpoint]:
        return await self._ctx.db.all(FOLLOWING, after=after or _FIRST, limit=limit)

    async def add(
        self, session: Session, url: str, description: str, event_types: tuple[str, ...]
    ) -> tuple[Endpoint, str]:
        """Return the new endpoint and its secret, which nobody can be shown again.

        Raises:
            problems.Conflict: there are as many as there may be.
        """
        if await session.one(COUNT) >= MOST:
            raise problems.Conflict(f"There are {MOST} endpoints; delete one first.")
        secret, endpoint_id = new_secret(), new_id()
        values = {"url": url, "description": description, "event_types": list(event_types)}
        await session.run(ADD, id=endpoint_id, secret=self._sealed(secret), created_at=self._ctx.clock.now(), **values)
        return await self.find(session, endpoint_id), secret

    async def rotate(self, session: Session, endpoint_id: UUID) -> str:
        """Return a new secret; the one before signs too until its time is over."""
        secret = new_secret()
        until = self._ctx.clock.now() + timedelta(hours=self._ctx.settings.overlap_hours)
        if not await session.run(ROTATE, endpoint=endpoint_id, new_secret=self._sealed(secret), until=until):
            raise problems.NotFound
        return secret

    async def disable(self, session: Session, endpoint: Endpoint, reason: str) -> bool:
        """Tell *endpoint* of nothing any more and hold what waits for it; return False if it was so before."""
        if not await session.run(DISABLE, endpoint=endpoint.id, reason=reason, now=self._ctx.clock.now()):
            return False
        await session.run(HOLD, endpoint=endpoint.id)
        told = EndpointDisabled(endpoint_id=endpoint.id, url=without_query(endpoint.url), reason=reason)
        await self._ctx.events.publish(session, told)
        return True

    async def give_up(self, session: Session, endpoint_id: UUID, reason: str) -> None:
        """Disable the endpoint because of what became of its deliveries."""
        endpoint = await session.first(ONE, endpoint=endpoint_id)
        if endpoint is None or not await self.disable(session, endpoint, reason):
            return
        told = ActRecorded(
            action="webhooks.disable",
            subject=f"endpoint:{endpoint_id}",
            actor=None,
            origin="webhooks",
            reason=reason,
            after={"url": without_query(endpoint.url)},
        )
        await self._ctx.events.publish(session, told)

    async def enable(self, session: Session, endpoint_id: UUID) -> bool:
        """Tell the endpoint of events from now on; return False if it was so before."""
        return await session.run(ENABLE, endpoint=endpoint_id, now=self._ctx.clock.now()) > 0

    def _sealed(self, secret: str) -> str:
        return self._ctx.secrets.seal(secret.encode())
