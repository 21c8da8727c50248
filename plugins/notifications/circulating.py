"""Circulating: what concerns a topic is noted for whoever follows it, some hundreds at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, failpoint
from kernel.database import Command, Query
from plugins.notifications.names import Names
from plugins.notifications.noting import Happening, note
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import circulars, followings

BATCH: Final = 500  # people
NOTED: Final = failpoint("notifications.noted")  # but not committed


class Circular(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be told to whoever follows a topic."""

    event_id: UUID
    topic: str
    kind: str
    facts: dict[str, str | int]
    author: UUID | None
    at: datetime
    after: UUID
    step: int


ALL: Final = Query(
    sa.select(*(circulars.c[name] for name in Circular.__struct_fields__)).order_by(circulars.c.event_id), Circular
)
FOLLOWERS: Final = Query(
    sa.select(followings.c.user_id)
    .where(
        followings.c.topic == bindparam("of_topic"),
        followings.c.user_id > bindparam("after"),
        followings.c.since <= bindparam("at"),
    )
    .order_by(followings.c.user_id)
    .limit(BATCH),
    UUID,
)
#: Touches no circular that another process has taken further.
_SAME: Final = (
    circulars.c.event_id == bindparam("of_event"),
    circulars.c.topic == bindparam("of_topic"),
    circulars.c.step == bindparam("of_step"),
)
GO_ON: Final = Command(
    sa.update(circulars)
    .where(*_SAME)
    .values(after=bindparam("last"), facts=bindparam("new_facts"), step=circulars.c.step + 1)
)
END: Final = Command(sa.delete(circulars).where(*_SAME))


class Circulating:
    """Takes circulars further."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._ctx = ctx
        self._names = Names(ctx)
        self._stale = timedelta(hours=ctx.settings.stale_hours)

    async def step(self) -> bool:
        """Note every circular for some more people; return whether there may be more of them."""
        found = await self._ctx.db.all(ALL)
        for circular, facts in zip(found, await self._names.name([one.facts for one in found]), strict=True):
            await self.go_on(circular, dict(facts))
        return bool(found)

    async def go_on(self, circular: Circular, facts: dict[str, str | int]) -> None:
        """Take one further, from where it was read."""
        happening = Happening(
            event_id=circular.event_id, kind=circular.kind, facts=facts, at=circular.at, author=circular.author
        )
        same = {"of_event": circular.event_id, "of_topic": circular.topic, "of_step": circular.step}
        is_news = self._ctx.clock.now() - circular.at <= self._stale
        async with self._ctx.db.transaction() as session:
            people = await session.all(FOLLOWERS, **_whom(circular)) if is_news else []
            if not people:
                await session.run(END, **same)
            elif await session.run(GO_ON, **same, last=people[-1], new_facts=facts):
                await note(session, happening, people, topic=circular.topic)
                await NOTED()


def _whom(circular: Circular) -> dict[str, object]:
    return {"of_topic": circular.topic, "after": circular.after, "at": circular.at}
