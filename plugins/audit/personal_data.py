"""What the log knows of a person: it is handed out, and kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
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


#: How an act concerns a person, each found by an index of its own.
_CONCERNED: Final = (
    acts.c.actor == bindparam("user", type_=sa.Uuid()),
    acts.c.acting_as == bindparam("user", type_=sa.Uuid()),
    acts.c.about == bindparam("user", type_=sa.Uuid()),
    acts.c.subject == bindparam("account"),
)
_AFTER: Final = sa.tuple_(acts.c.happened_at, acts.c.number) > sa.tuple_(
    bindparam("after_time", type_=acts.c.happened_at.type), bindparam("after_number", type_=acts.c.number.type)
)


def _first(concerned: sa.ColumnElement[bool]) -> sa.Select[tuple[int]]:
    """Return the numbers of a page of acts; in a select of its own, since SQLite sorts no part of a union."""
    page = sa.select(acts.c.number).where(concerned, _AFTER).order_by(acts.c.happened_at, acts.c.number).limit(PAGE)
    return sa.select(page.subquery().c.number)


_by_you: Final = sa.func.coalesce(_CONCERNED[0], sa.false())
CONCERNING: Final = Query(
    sa.select(
        acts.c.number,
        acts.c.happened_at,
        acts.c.action,
        acts.c.subject,
        _by_you.label("by_you"),
        sa.case((_CONCERNED[0], acts.c.origin), else_=sa.literal_column("''")).label("origin"),
        acts.c.reason,
        acts.c.before,
        acts.c.after,
    )
    .where(acts.c.number.in_(sa.union(*map(_first, _CONCERNED))))
    .order_by(acts.c.happened_at, acts.c.number)
    .limit(PAGE),
    Told,
)
DONE_BY: Final = Query(sa.select(acts.c.number).where(_CONCERNED[0]).limit(1), int)
DONE_TO: Final = Query(sa.union(*(_first(concerned) for concerned in _CONCERNED[1:])).limit(1), int)

_WHY: Final = "so that it can be looked up who changed what; the log can not be changed by anybody"
_BY_YOU: Final = Kept(
    what="what you did as an administrator, with time, client address and the reasons you gave", why=_WHY
)
_TO_YOU: Final = Kept(
    what="what administrators did to your account, your grants and your purchases or in your name,"
    " with time and the reasons they gave",
    why=_WHY,
)
_START: Final = (datetime.min.replace(tzinfo=UTC), 0)


class AuditPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context) -> None:
        self._db = ctx.db

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        number, (time, last) = 0, _START
        while found := await self._db.all(CONCERNING, **_concerned(subject), after_time=time, after_number=last):
            number += 1
            yield document(f"acts-{number}.json", found)
            time, last = found[-1].happened_at, found[-1].number

    async def erase(self, subject: Subject) -> Receipt:
        time, number = _START
        concerned = _concerned(subject)
        by_you = await self._db.first(DONE_BY, user=subject.user_id)
        to_you = await self._db.first(DONE_TO, **concerned, after_time=time, after_number=number)
        kept = ((_BY_YOU, by_you), (_TO_YOU, to_you))
        return Receipt(kept=tuple(what for what, found in kept if found is not None))


def _concerned(subject: Subject) -> dict[str, object]:
    return {"user": subject.user_id, "account": f"account:{subject.user_id}"}
