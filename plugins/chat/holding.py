"""Messages that wait for approval: stored, but in no log until somebody lets them in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Page, PageQuery, new_id, page
from kernel.contracts.chat import Audience, Posted
from kernel.contracts.chat_http import OwnHeld
from kernel.database import Command, Query
from plugins.chat.entries import NewEntry
from plugins.chat.settings import ChatSettings
from plugins.chat.tables import held


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A message that waits."""

    id: UUID
    room_id: UUID
    sender: UUID
    client_id: str
    text: str
    audience: Audience
    reply_to: int | None
    mentions: tuple[UUID, ...]
    at: datetime
    why: str  #: which filter holds it and why, or `approval`


class _Kept(msgspec.Struct, frozen=True):
    state: str
    at: datetime


_COLUMNS: Final = tuple(held.c[name] for name in Held.__struct_fields__)
_WAITS: Final = held.c.state == sa.literal_column("'waiting'")

HOLD: Final = Command(
    insert(held)
    .values({name: bindparam(name) for name in Held.__struct_fields__})
    .values(state="waiting")
    .on_conflict_do_nothing(index_elements=[held.c.sender, held.c.room_id, held.c.client_id])
)
KEPT: Final = Query(
    sa.select(held.c.state, held.c.at).where(
        held.c.room_id == bindparam("room_id"),
        held.c.sender == bindparam("sender"),
        held.c.client_id == bindparam("client_id"),
    ),
    _Kept,
)
#: Takes one that waits: of several who decide at once one does.
DECIDE: Final = Query(
    sa.update(held)
    .where(held.c.id == bindparam("held_id"), held.c.room_id == bindparam("of_room"), _WAITS)
    .values(state=bindparam("new_state"), decided_by=bindparam("person"), decided_at=bindparam("now"))
    .returning(*_COLUMNS),
    Held,
)
#: What was decided needs no text any more: it stands in the log, or nowhere.
SETTLE: Final = Command(
    sa.update(held)
    .where(held.c.id == bindparam("held_id"))
    .values(text=sa.literal_column("''"), offset=bindparam("new_offset", type_=sa.BigInteger()))
)
WAITING: Final = Query(
    sa.select(*_COLUMNS)
    .where(held.c.room_id == bindparam("room_id"), _WAITS, held.c.id > bindparam("after"))
    .order_by(held.c.id)
    .limit(bindparam("limit")),
    Held,
)


#: What one person had held, the newest first.
OWN: Final = Query(
    sa.select(*(held.c[name] for name in OwnHeld.__struct_fields__))
    .where(
        held.c.sender == bindparam("person"), held.c.room_id == bindparam("room_id"), held.c.id < bindparam("before")
    )
    .order_by(held.c.id.desc())
    .limit(bindparam("limit")),
    OwnHeld,
)
_LAST: Final = UUID(int=2**128 - 1)  # behind every other


class Holding:
    """Keeps what waits."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._db = ctx.db

    async def hold(self, entry: NewEntry, mentions: Sequence[UUID], why: str) -> Posted:
        """Keep *entry* until it is decided; return what became of it when it came first."""
        await self._db.run(
            HOLD,
            id=new_id(),
            room_id=entry.room_id,
            sender=entry.actor,
            client_id=entry.client_id,
            text=entry.text,
            audience=entry.audience,
            reply_to=entry.reply_to,
            mentions=list(mentions),
            at=entry.at,
            why=why,
        )
        kept = await self._db.one(KEPT, room_id=entry.room_id, sender=entry.actor, client_id=entry.client_id)
        return Posted(state="held", at=kept.at)

    async def own(self, room_id: UUID, person: UUID, query: PageQuery) -> Page[OwnHeld]:
        """Return a page of what the person had held in the room, the newest first."""
        before = query.after(UUID) or _LAST
        found = await self._db.all(OWN, room_id=room_id, person=person, before=before, limit=query.limit + 1)
        return page(found, query, lambda held: held.id)

    async def before(self, room_id: UUID, sender: UUID, client_id: str) -> Posted | None:
        """Return what became of a message that was held under this client id, None if there is none."""
        kept = await self._db.first(KEPT, room_id=room_id, sender=sender, client_id=client_id)
        return None if kept is None else Posted(state="held", at=kept.at)
