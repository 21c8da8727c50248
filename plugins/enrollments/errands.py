"""Errands: calls to other modules that a handler leaves for after its commit, since no transaction waits for a call.

An errand is written in the handler's transaction and removed when it was done, so none is lost with a process. Of two
processes both may run it: whatever is left here is safe to repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is compiled for SQLite too

from kernel import Context, new_id
from kernel.database import Command, Query, Session
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.tables import errands

#: Take the course over as it is now; end the access if the price went back; give back the price of a purchase that came
#: to nothing; give back the price of one whose course was left.
Kind = Literal["course", "refunded", "give-back", "refund"]


class Errand(msgspec.Struct, frozen=True):
    """What is to be done, and to which course or purchase."""

    id: UUID
    kind: Kind
    subject: UUID
    reason: str


LEAVE: Final = Command(
    insert(errands).values({name: bindparam(name) for name in Errand.__struct_fields__}).on_conflict_do_nothing()
)
FURTHER: Final = Query(
    sa.select(*(errands.c[name] for name in Errand.__struct_fields__))
    .where(errands.c.id > bindparam("after"))
    .order_by(errands.c.id)
    .limit(100),
    Errand,
)
DONE: Final = Command(sa.delete(errands).where(errands.c.id == bindparam("errand_id")))


class Errands:
    """The errands that are still to be done."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._db = ctx.db
        self.left = asyncio.Event()  #: set once there may be a new one

    async def leave(
        self, session: Session, kind: Kind, subject: UUID, reason: str = "", *, event: UUID | None = None
    ) -> None:
        """Have it done soon after the commit of *session*; for the same *event* once, however often that comes."""
        await session.run(LEAVE, id=event or new_id(), kind=kind, subject=subject, reason=reason)
        session.after_commit(self.left.set)

    async def all(self) -> AsyncIterator[Errand]:
        """Yield each errand once, the oldest first, whether or not those before it were done."""
        found = await self._db.all(FURTHER, after=UUID(int=0))
        while found:
            for errand in found:
                yield errand
            found = await self._db.all(FURTHER, after=found[-1].id)

    async def done(self, errand: Errand) -> None:
        """Remove it."""
        await self._db.run(DONE, errand_id=errand.id)
