"""Up to where people have read: their own affair, so it is in no log."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.database import Command
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standing
from plugins.chat.tables import members, rooms

#: Never back, and never beyond the end of the log.
MARK: Final = Command(
    sa.update(members)
    .where(
        members.c.room_id == bindparam("of_room"),
        members.c.user_id == bindparam("person"),
        members.c.read_to < bindparam("new_offset"),
        sa.exists().where(rooms.c.id == bindparam("of_room"), rooms.c.last_offset >= bindparam("new_offset")),
    )
    .values(read_to=bindparam("new_offset"))
)


class Marks:
    """Remembers up to where people have read."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._db = ctx.db

    async def read(self, standing: Standing, offset: int) -> None:
        """Remember that the person has read up to *offset*."""
        await self._db.run(MARK, of_room=standing.room.id, person=standing.user_id, new_offset=offset)
