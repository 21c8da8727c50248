"""Following: who is told of what concerns a topic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context
from kernel.database import Command, Query
from plugins.notifications.live import UNREAD
from plugins.notifications.tables import followings

FOLLOW: Final = Command(
    insert(followings)
    .values({name: bindparam(name) for name in ("topic", "user_id", "since")})
    .on_conflict_do_nothing()
)
_ONE: Final = (followings.c.topic == bindparam("of_topic"), followings.c.user_id == bindparam("person"))
UNFOLLOW: Final = Command(sa.delete(followings).where(*_ONE))
FOLLOWS: Final = Query(sa.select(sa.literal_column("1").label("one")).where(*_ONE), int)
FOLLOWED: Final = Query(
    sa.select(followings.c.topic)
    .where(followings.c.user_id == bindparam("person"), followings.c.topic > bindparam("after"))
    .order_by(followings.c.topic)
    .limit(bindparam("limit")),
    str,
)


class NotificationsService:
    """Provides `notifications/1`."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._db, self._clock = ctx.db, ctx.clock

    async def unread(self, user_id: UUID) -> int:
        return await self._db.one(UNREAD, person=user_id)

    async def follow(self, user_id: UUID, topic: str) -> None:
        await self._db.run(FOLLOW, topic=topic, user_id=user_id, since=self._clock.now())

    async def unfollow(self, user_id: UUID, topic: str) -> None:
        await self._db.run(UNFOLLOW, of_topic=topic, person=user_id)

    async def follows(self, user_id: UUID, topic: str) -> bool:
        return await self._db.first(FOLLOWS, of_topic=topic, person=user_id) is not None

    async def followed(self, user_id: UUID, after: str, limit: int) -> Sequence[str]:
        """Return up to *limit* of the topics that the person follows, those behind *after*, in their order."""
        return await self._db.all(FOLLOWED, person=user_id, after=after, limit=limit)
