"""The HTTP surface: endpoints, and what came of their deliveries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

import msgspec

from kernel import (
    Context,
    Idempotency,
    Page,
    PageQuery,
    Request,
    Route,
    delete,
    get,
    new_id,
    page,
    patch,
    post,
    problems,
)
from kernel.contracts.audit import act
from kernel.database import Session
from lyceum_webhooks import queue
from lyceum_webhooks.bodies import (
    DeliveryQuery,
    Disabling,
    EndpointChange,
    NewEndpoint,
    Recovered,
    Recovery,
    WithSecret,
)
from lyceum_webhooks.endpoints import CHANGE, DELETE, Endpoint, Endpoints
from lyceum_webhooks.events import TEST
from lyceum_webhooks.queue import LAST_ID, Delivery, Queue
from lyceum_webhooks.sender import Sender, targets_of
from lyceum_webhooks.settings import WebhooksSettings
from lyceum_webhooks.subscriptions import check_patterns
from lyceum_webhooks.targets import without_query

MANAGE: Final = "webhooks.manage"


class WebhooksApi:
    """Lets administrators say who is told of what, and look at how that goes."""

    def __init__(self, ctx: Context[WebhooksSettings]) -> None:
        self._ctx = ctx
        self._endpoints = ctx.own(Endpoints)
        self._queue = ctx.own(Queue)
        self._sender = ctx.own(Sender)
        self._targets = targets_of(ctx)

    def routes(self) -> Iterable[Route]:
        one, absent = "/endpoints/{endpoint_id}", (problems.NotFound,)
        none = Idempotency.NONE  # a kept answer would hold a credential
        yield get("/event-types", self.event_types, permission=MANAGE)
        yield get("/endpoints", self.endpoints, permission=MANAGE)
        yield post(
            "/endpoints", self.add, permission=MANAGE, status=201, problems=(problems.Conflict,), idempotency=none
        )
        yield get(one, self.endpoint, permission=MANAGE, problems=absent)
        yield patch(one, self.change, permission=MANAGE, problems=absent)
        yield delete(one, self.delete, permission=MANAGE, status=204, problems=absent)
        yield post(f"{one}/disable", self.disable, permission=MANAGE, problems=absent)
        yield post(f"{one}/enable", self.enable, permission=MANAGE, problems=absent)
        yield post(f"{one}/secret", self.rotate, permission=MANAGE, problems=absent, idempotency=none)
        both = (problems.NotFound, problems.Conflict)
        yield post(f"{one}/test", self.test, permission=MANAGE, status=202, problems=both)
        yield post(f"{one}/redeliver", self.recover, permission=MANAGE, status=202, problems=both)
        yield get(f"{one}/deliveries", self.deliveries, permission=MANAGE, problems=absent)
        yield get("/deliveries/{delivery_id}", self.delivery, permission=MANAGE, problems=absent)
        yield post("/deliveries/{delivery_id}/redeliver", self.redeliver, permission=MANAGE, status=202, problems=both)

    async def event_types(self, request: Request, query: PageQuery) -> Page[str]:
        """List the types of events that an endpoint can be told of."""
        after = query.after(str) or ""
        return page([kind for kind in sorted(self._ctx.published) if kind > after], query, str)

    async def endpoints(self, request: Request, query: PageQuery) -> Page[Endpoint]:
        """List the endpoints, the oldest first."""
        found = await self._endpoints.list(query.after(UUID), query.limit + 1)
        return page(found, query, lambda endpoint: endpoint.id)

    async def endpoint(self, request: Request, endpoint_id: UUID, session: Session) -> Endpoint:
        """Show an endpoint."""
        return await self._endpoints.find(session, endpoint_id)

    async def add(self, request: Request, body: NewEndpoint, session: Session) -> WithSecret:
        """Have a system told of events from now on; the answer alone holds the secret."""
        self._check(url=body.url, event_types=body.event_types)
        endpoint, secret = await self._endpoints.add(session, body.url, body.description, body.event_types)
        await self._tell(request, session, "add", endpoint.id, after=_told(endpoint))
        return WithSecret(endpoint=endpoint, secret=secret)

    async def change(self, request: Request, endpoint_id: UUID, body: EndpointChange, session: Session) -> Endpoint:
        """Change the URL, the types of events or the description."""
        self._check(url=body.url, event_types=body.event_types or ())
        before = await self._endpoints.find(session, endpoint_id)
        given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not None}
        after = msgspec.structs.replace(before, **given)
        values = {"new_url": after.url, "new_description": after.description}
        await session.run(CHANGE, endpoint=endpoint_id, new_event_types=list(after.event_types), **values)
        if after != before:
            await self._tell(request, session, "change", endpoint_id, before=_told(before), after=_told(after))
        return after

    async def delete(self, request: Request, endpoint_id: UUID, session: Session) -> None:
        """Delete an endpoint, with what waits for it and what came of its deliveries."""
        before = await self._endpoints.find(session, endpoint_id)
        await session.run(DELETE, endpoint=endpoint_id)
        await self._tell(request, session, "delete", endpoint_id, before=_told(before))

    async def disable(self, request: Request, endpoint_id: UUID, body: Disabling, session: Session) -> Endpoint:
        """Tell an endpoint of nothing any more; what waits for it is held."""
        endpoint = await self._endpoints.find(session, endpoint_id)
        if await self._endpoints.disable(session, endpoint, body.reason):
            await self._tell(request, session, "disable", endpoint_id, reason=body.reason)
        return await self._endpoints.find(session, endpoint_id)

    async def enable(self, request: Request, endpoint_id: UUID, session: Session) -> Endpoint:
        """Tell an endpoint of events again, from now on."""
        await self._endpoints.find(session, endpoint_id)
        if await self._endpoints.enable(session, endpoint_id):
            await self._tell(request, session, "enable", endpoint_id)
        return await self._endpoints.find(session, endpoint_id)

    async def rotate(self, request: Request, endpoint_id: UUID, session: Session) -> WithSecret:
        """Make a new secret; for a time the former one signs as well."""
        secret = await self._endpoints.rotate(session, endpoint_id)
        await self._tell(request, session, "rotate_secret", endpoint_id)
        return WithSecret(endpoint=await self._endpoints.find(session, endpoint_id), secret=secret)

    async def test(self, request: Request, endpoint_id: UUID, session: Session) -> Delivery:
        """Send an event of the type `webhooks.test.v1` to an endpoint, and to no other."""
        await self._find_enabled(session, endpoint_id)
        event_id, now = new_id(), self._ctx.clock.now()
        data = msgspec.json.encode({"endpoint_id": endpoint_id})
        await self._queue.add(session, [endpoint_id], event_id=event_id, kind=TEST, time=now, data=data)
        session.after_commit(self._sender.wake)
        return await session.one(queue.OF_EVENT, endpoint=endpoint_id, event=event_id)

    async def deliveries(
        self, request: Request, endpoint_id: UUID, query: DeliveryQuery, session: Session
    ) -> Page[Delivery]:
        """List the deliveries to an endpoint, the newest first."""
        await self._endpoints.find(session, endpoint_id)
        statement = queue.NEWEST if query.state is None else queue.NEWEST_IN_STATE
        state = {} if query.state is None else {"in_state": query.state}
        before = query.after(UUID) or LAST_ID
        found = await session.all(statement, endpoint=endpoint_id, before=before, limit=query.limit + 1, **state)
        return page(found, query, lambda delivery: delivery.id)

    async def delivery(self, request: Request, delivery_id: UUID, session: Session) -> Delivery:
        """Show a delivery."""
        found = await session.first(queue.ONE, delivery=delivery_id)
        if found is None:
            raise problems.NotFound
        return found

    async def redeliver(self, request: Request, delivery_id: UUID, session: Session) -> Delivery:
        """Send an event once more, whatever came of it; one that waits is sent when it is due."""
        found = await self.delivery(request, delivery_id, session)
        await self._find_enabled(session, found.endpoint_id)
        if await session.run(queue.AGAIN, delivery=delivery_id, now=self._ctx.clock.now()):
            await self._tell(request, session, "redeliver", found.endpoint_id, after={"delivery": str(delivery_id)})
            session.after_commit(self._sender.wake)
        return await self.delivery(request, delivery_id, session)

    async def recover(self, request: Request, endpoint_id: UUID, body: Recovery, session: Session) -> Recovered:
        """Send once more all that failed or was held since a moment."""
        await self._find_enabled(session, endpoint_id)
        now = self._ctx.clock.now()
        count = await session.run(queue.AGAIN_SINCE, endpoint=endpoint_id, begin=body.since, now=now)
        if count:
            await self._tell(request, session, "redeliver", endpoint_id, after={"count": count})
            session.after_commit(self._sender.wake)
        return Recovered(count=count)

    async def _find_enabled(self, session: Session, endpoint_id: UUID) -> None:
        endpoint = await self._endpoints.find(session, endpoint_id)
        if endpoint.disabled_at is not None:
            raise problems.Conflict("The endpoint is disabled; enable it first.")

    def _check(self, *, url: str | None, event_types: Iterable[str]) -> None:
        """Refuse what can never work, with the field that says so."""
        try:
            field = "body.url"
            if url is not None:
                self._targets.check_url(url)
            field = "body.event_types"
            check_patterns(event_types, self._ctx.published)
        except ValueError as error:
            raise problems.Invalid(fields=[problems.FieldError(field, str(error))]) from error

    async def _tell(
        self,
        request: Request,
        session: Session,
        what: str,
        endpoint_id: UUID,
        *,
        before: dict[str, object] | None = None,
        after: dict[str, object] | None = None,
        reason: str = "",
    ) -> None:
        told = act(request, f"webhooks.{what}", f"endpoint:{endpoint_id}", before=before, after=after, reason=reason)
        await self._ctx.events.publish(session, told)


def _told(endpoint: Endpoint) -> dict[str, object]:
    """Return what the log of acts may know of *endpoint*."""
    return {
        "url": without_query(endpoint.url),
        "event_types": list(endpoint.event_types),
        "description": endpoint.description,
    }
