"""What a person has or had access to, and bought.

An erasure ends the access, which no account can use any more, and so gives the seats back. What is kept is kept under
the number alone, without the words about it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, errors
from kernel.contracts.personal_data import Document, Kept, Receipt, Subject, document
from kernel.database import Command, Query
from plugins.enrollments.access import GRANT_COLUMNS, Grant
from plugins.enrollments.granting import Granting
from plugins.enrollments.seats import SEATING_PURCHASES
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.tables import errands, grants, purchases, refund_requests

ERASED: Final = "erased"
PAGE: Final = 100  # grants


class PurchaseUnderWay(errors.LyceumError):
    """A purchase of the person is not settled: it may still bring access and a seat. Erase again when it is."""


class _Purchase(msgspec.Struct, frozen=True):
    """A purchase, whatever became of it."""

    id: UUID
    course_id: UUID
    amount: int
    currency: str
    state: str
    reason: str
    created_at: datetime
    settled_at: datetime | None


_PERSON: Final = bindparam("person", type_=sa.Uuid())
GRANTS: Final = Query(sa.select(*GRANT_COLUMNS).where(grants.c.user_id == _PERSON).order_by(grants.c.id), Grant)
PURCHASES: Final = Query(
    sa.select(*(purchases.c[name] for name in _Purchase.__struct_fields__))
    .where(purchases.c.user_id == _PERSON)
    .order_by(purchases.c.id),
    _Purchase,
)
#: Whatever of a person's may count now or later; with the ids behind *after*, since ended ones leave the list.
UNENDED: Final = Query(
    sa.select(*GRANT_COLUMNS)
    .where(
        grants.c.user_id == _PERSON,
        grants.c.state != sa.literal_column("'revoked'"),
        grants.c.ended_at.is_(None),
        grants.c.id > bindparam("after"),
    )
    .order_by(grants.c.id)
    .limit(PAGE),
    Grant,
)
PENDING: Final = Query(
    sa.select(purchases.c.id).where(purchases.c.user_id == _PERSON, *SEATING_PURCHASES).limit(1), UUID
)


def _speechless(table: sa.Table, concerned: sa.ColumnElement[bool]) -> Command:
    return Command(sa.update(table).where(concerned).values(reason=sa.literal_column("''")))


_BOUGHT: Final = sa.select(purchases.c.id).where(purchases.c.user_id == _PERSON)
#: What somebody wrote about why, which may say anything about the person.
ERASE_REASONS: Final = (
    _speechless(grants, grants.c.user_id == _PERSON),
    _speechless(purchases, purchases.c.user_id == _PERSON),
    _speechless(errands, errands.c.subject.in_(_BOUGHT)),
    _speechless(refund_requests, refund_requests.c.purchase_id.in_(_BOUGHT)),
)

RECEIPT: Final = Receipt(
    erased=(
        "your access to courses, and the seats that you had in them",
        "what was written about why you were given or lost access",
    ),
    kept=(
        Kept(
            what="which courses your number had access to until it was erased, and its purchases",
            why="the books of the platform refer to them",
        ),
    ),
)


class EnrollmentsPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._db = ctx.db
        self._granting = ctx.own(Granting)

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        if found := await self._db.all(GRANTS, person=subject.user_id):
            yield document("grants.json", found)
        if bought := await self._db.all(PURCHASES, person=subject.user_id):
            yield document("purchases.json", bought)

    async def erase(self, subject: Subject) -> Receipt:
        await self._end_access(subject.user_id)
        async with self._db.transaction() as session:
            for erase in ERASE_REASONS:
                await session.run(erase, person=subject.user_id)
        if await self._db.first(PENDING, person=subject.user_id) is not None:
            raise PurchaseUnderWay(str(PurchaseUnderWay.__doc__))
        return RECEIPT

    async def _end_access(self, person: UUID) -> None:
        """End every grant in a transaction of its own: it locks its course, and two would wait in a circle."""
        after = UUID(int=0)
        while found := await self._db.all(UNENDED, person=person, after=after):
            for grant in found:
                async with self._db.transaction() as session:
                    await self._granting.revoke(session, grant, ERASED)
            after = found[-1].id
