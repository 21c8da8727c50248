"""What a person has or had access to, and bought: kept under the number alone, without the words about it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.personal_data import Document, Kept, Receipt, Subject, document
from kernel.database import Command, Query
from plugins.enrollments.access import GRANT_COLUMNS, Grant
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.tables import errands, grants, purchases, refund_requests


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
    erased=("what was written about why you were given or lost access",),
    kept=(
        Kept(
            what="which courses your number had access to, and its purchases",
            why="the books of the platform refer to them",
        ),
    ),
)


class EnrollmentsPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._db = ctx.db

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        if found := await self._db.all(GRANTS, person=subject.user_id):
            yield document("grants.json", found)
        if bought := await self._db.all(PURCHASES, person=subject.user_id):
            yield document("purchases.json", bought)

    async def erase(self, subject: Subject) -> Receipt:
        async with self._db.transaction() as session:
            for erase in ERASE_REASONS:
                await session.run(erase, person=subject.user_id)
        return RECEIPT
