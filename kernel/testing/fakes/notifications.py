"""An in-memory `notifications/1`, and a plugin that provides it where a test leaves the real one out."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar, Final
from uuid import UUID

from kernel import Context, Delivery, EventHandler, Manifest, Plugin, Provide, hookimpl, on
from kernel.contracts.notifications import NOTIFICATION_KINDS, NOTIFICATIONS, NotificationRequested
from kernel.database import Session

MANY: Final = 101


class InMemoryNotifications:
    """Tells people of what plugins ask it to; a tray is all there is."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._services = ctx.services
        self._heard: set[UUID] = set()
        self._followers: dict[str, set[UUID]] = defaultdict(set)
        self.told: dict[UUID, list[NotificationRequested]] = defaultdict(list)  #: person → what they were told of

    async def unread(self, user_id: UUID) -> int:
        return min(MANY, len(self.told[user_id]))

    async def follow(self, user_id: UUID, topic: str) -> None:
        self._followers[topic].add(user_id)

    async def unfollow(self, user_id: UUID, topic: str) -> None:
        self._followers[topic].discard(user_id)

    async def follows(self, user_id: UUID, topic: str) -> bool:
        return user_id in self._followers[topic]

    async def take(self, session: Session, delivery: Delivery[NotificationRequested]) -> None:
        """Tell whoever the event of *delivery* concerns, once however often it comes."""
        session.after_commit(lambda: self.tell(delivery.id, delivery.event))

    def tell(self, event_id: UUID, event: NotificationRequested) -> None:
        """Tell whoever *event* concerns, if that was not done before and somebody has declared its kind."""
        if event_id in self._heard or event.kind not in self._kinds():
            return
        self._heard.add(event_id)
        people = self._followers[event.topic] if event.user_id is None else {event.user_id}
        for person in people - {event.author}:
            self.told[person].append(event)

    def _kinds(self) -> set[str]:
        return {kind.name for one in self._services.all(NOTIFICATION_KINDS) for kind in one.kinds()}


class InMemoryNotificationsPlugin(Plugin[Any]):
    """Provides `notifications/1` from memory."""

    manifest: ClassVar[Manifest] = Manifest(name="test-notifications", version="1", provides=(NOTIFICATIONS,))
    kind: ClassVar[type[InMemoryNotifications]] = InMemoryNotifications  #: a subclass may have another

    @hookimpl
    def services(self, ctx: Context[Any]) -> Iterable[Provide[Any]]:
        yield Provide(NOTIFICATIONS, lambda: contextlib.nullcontext(ctx.own(self.kind)))

    @hookimpl
    def event_handlers(self, ctx: Context[Any]) -> Iterable[EventHandler]:
        yield on(NotificationRequested, ctx.own(self.kind).take, name="take")
