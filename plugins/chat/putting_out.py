"""Who may no longer be in a room, or not with the same rights, is told to every process.

It is a broadcast, which may be lost; so at times it is looked again, who is there and may not be any more.
"""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec

from kernel import Context, Delivery
from kernel.contracts.enrollments import AccessEnded
from kernel.database import Session
from plugins.chat.hub import Hub
from plugins.chat.settings import ChatSettings

TOPIC: Final = "chat.standing"
LOOK_EVERY: Final = 5.0  # seconds
AGAIN_AFTER: Final = timedelta(minutes=5)
AT_ONCE: Final = 100  # members


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose standing may be another, and where; None for everybody and everywhere."""

    user_id: UUID | None = None
    room_id: UUID | None = None
    logs: bool = False  #: it is not about people: look at all logs


class PuttingOut:
    """Tells all processes whose standing has changed."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._hub = ctx.own(Hub)
        self.heard = 0  #: changes, so that who is just coming in can tell whether there was one meanwhile

    async def person_changed(self, user_id: UUID, *, room_id: UUID | None = None) -> None:
        """Have every connection of the person in the room, or in any room, reconsidered."""
        await self._tell(Change(user_id=user_id, room_id=room_id))

    async def room_changed(self, room_id: UUID) -> None:
        """Have every connection in the room reconsidered."""
        await self._tell(Change(room_id=room_id))

    async def access_ended(self, session: Session, delivery: Delivery[AccessEnded]) -> None:
        """Have whoever lost access put out, once the event is handled."""

        def tell() -> None:
            self._ctx.tasks.start(self.person_changed(delivery.event.user_id), name="putting somebody out")

        session.after_commit(tell)

    async def logs_renewed(self) -> None:
        """Have every process look at once whether its rooms have other epochs."""
        await self._tell(Change(logs=True))

    async def look_again(self) -> None:
        """Reconsider some of those of whom nothing was found out for long."""
        earliest = self._ctx.clock.now() - AGAIN_AFTER
        everybody = (member for feed in self._hub.feeds.values() for member in feed.members)
        for member in itertools.islice((one for one in everybody if one.checked_at < earliest), AT_ONCE):
            member.reconsider()

    def hear(self, message: bytes) -> None:
        """Reconsider those of this process whom a change concerns."""
        change = msgspec.json.decode(message, type=Change)
        if change.logs:
            self._hub.checked.set()
            return
        self.heard += 1
        for room_id, feed in self._hub.feeds.items():
            if change.room_id in (None, room_id):
                for member in feed.members:
                    if change.user_id in (None, member.user_id):
                        member.reconsider()

    async def _tell(self, change: Change) -> None:
        await self._ctx.events.broadcast(TOPIC, msgspec.json.encode(change))
