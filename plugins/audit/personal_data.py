"""What the log knows of a person: it is handed out, and kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.personal_data import Document, Kept, Receipt, Subject, document
from kernel.database import Query
from plugins.audit.tables import acts

PAGE: Final = 1000  # acts


class Told(msgspec.Struct, frozen=True):
    """An act as whom it concerns may read it: others who took part are not named."""

    number: int
    happened_at: datetime
    action: str
    subject: str
    by_you: bool
    origin: str  #: from where you did it; empty where another did
    reason: str
    before: str | None
    after: str | None


_user: Final = bindparam("user", type_=sa.Uuid())
CONCERNING: Final = Query(
    sa.select(
        acts.c.number,
        acts.c.happened_at,
        acts.c.action,
        acts.c.subject,
        sa.func.coalesce(acts.c.actor == _user, sa.false()).label("by_you"),
        sa.case((acts.c.actor == _user, acts.c.origin), else_=sa.literal_column("''")).label("origin"),
        acts.c.reason,
        acts.c.before,
        acts.c.after,
    )
    .where(
        sa.or_(acts.c.actor == _user, acts.c.acting_as == _user, acts.c.subject == bindparam("subject")),
        acts.c.number > bindparam("after_number"),
    )
    .order_by(acts.c.number)
    .limit(PAGE),
    Told,
)

_KEPT: Final = Kept(
    what="what was done by you or to your account as an administrator, with time and address",
    why="so that it can be looked up who changed what; the log can not be changed by anybody",
)


class AuditPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context) -> None:
        self._db = ctx.db

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        after, number = 0, 0
        while told := await self._after(subject, after):
            after, number = told[-1].number, number + 1
            yield document(f"acts-{number}.json", told)

    async def erase(self, subject: Subject) -> Receipt:
        return Receipt(kept=(_KEPT,) if await self._after(subject, 0) else ())

    async def _after(self, subject: Subject, number: int) -> list[Told]:
        about = f"account:{subject.user_id}"
        return await self._db.all(CONCERNING, user=subject.user_id, subject=about, after_number=number)
