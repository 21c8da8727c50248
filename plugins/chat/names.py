"""The names under which people speak, as `users` tells them."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Delivery
from kernel.contracts.users import USERS, ProfileChanged
from kernel.database import Command, Query, Session
from plugins.chat.settings import ChatSettings
from plugins.chat.tables import people

NAME: Final = Query(sa.select(people.c.display_name).where(people.c.user_id == bindparam("user_id")), str)
_NAME: Final = insert(people).values(user_id=bindparam("user_id"), display_name=bindparam("display_name"))
#: For a name that was asked for: one that an event has told meanwhile is newer.
LEARN: Final = Command(_NAME.on_conflict_do_nothing())
TOLD: Final = Command(
    _NAME.on_conflict_do_update(index_elements=[people.c.user_id], set_={"display_name": _NAME.excluded.display_name})
)


class Names:
    """Keeps the names of those who were in a room."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx

    async def learn(self, user_id: UUID) -> str:
        """Ask for the person's name and keep it; return it, empty where nobody knows it."""
        users = self._ctx.services.find(USERS)
        found = await users.people([user_id]) if users is not None else {}
        name = found[user_id].display_name if user_id in found else ""
        if users is not None:  # also that there is none: an event tells when there is
            await self._ctx.db.run(LEARN, user_id=user_id, display_name=name)
        return name

    async def changed(self, session: Session, delivery: Delivery[ProfileChanged]) -> None:
        """Keep a new name; everybody's, since it may come before the person does."""
        told = delivery.event
        await session.run(TOLD, user_id=told.user_id, display_name=told.display_name)
