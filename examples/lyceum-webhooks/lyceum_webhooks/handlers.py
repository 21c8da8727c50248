"""What happens with each event of the deployment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from kernel import AnyEvent, Context, Delivery
from kernel.database import Session
from lyceum_webhooks.endpoints import LISTENING, Listening
from lyceum_webhooks.queue import Queue
from lyceum_webhooks.sender import Sender
from lyceum_webhooks.settings import WebhooksSettings
from lyceum_webhooks.subscriptions import wanted


class WebhooksHandlers:
    """Writes a delivery for each endpoint that wants an event."""

    def __init__(self, ctx: Context[WebhooksSettings]) -> None:
        self._queue = ctx.own(Queue)
        self._sender = ctx.own(Sender)

    async def tell(self, session: Session, delivery: Delivery[AnyEvent]) -> None:
        if to := [one.id for one in await session.all(LISTENING) if _is_for(delivery, one)]:
            event = delivery.event
            await self._queue.add(
                session, to, event_id=delivery.id, kind=event.type, time=delivery.time, data=event.data
            )
            session.after_commit(self._sender.wake)

    async def unwanted(self, session: Session, told: Sequence[Delivery[AnyEvent]]) -> Collection[UUID]:
        """Return the ids of those that no endpoint wants: nothing of them is kept here."""
        listening = await session.all(LISTENING)
        return [delivery.id for delivery in told if not any(_is_for(delivery, one) for one in listening)]


def _is_for(delivery: Delivery[AnyEvent], endpoint: Listening) -> bool:
    return delivery.time >= endpoint.since and wanted(endpoint.event_types, delivery.event.type)
