"""What people did here: purchases of nothing, credit and vouchers, under the number alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.payments import Credit
from kernel.contracts.personal_data import Document, Kept, Receipt, Subject, document
from kernel.database import Command, Query
from lyceum_freepay.settings import FreePaySettings
from lyceum_freepay.tables import batches, charges, redemptions, uses

PAGE: Final = 500  # rows of a file


class _Charge(msgspec.Struct, frozen=True):
    """A purchase that cost nothing."""

    id: UUID
    purchase_id: UUID
    course_id: UUID
    currency: str
    created_at: datetime
    voucher_id: UUID | None


class _TopUp(msgspec.Struct, frozen=True):
    """Credit that a voucher brought."""

    id: UUID
    voucher_id: UUID
    amount: int
    credit: Credit
    created_at: datetime


class _Use(msgspec.Struct, frozen=True):
    """How often a voucher was used."""

    voucher_id: UUID
    uses: int


class _Batch(msgspec.Struct, frozen=True):
    """Vouchers that the person made."""

    id: UUID
    count: int
    tag: str
    comment: str
    created_at: datetime


def _page(table: sa.Table, person: str, place: str, row: type[msgspec.Struct]) -> Query[msgspec.Struct]:
    """Return the next rows of a person behind *place*, each the fields of *row*."""
    columns = (table.c[name] for name in row.__struct_fields__)
    mine = (table.c[person] == bindparam("person"), table.c[place] > bindparam("after", type_=sa.Uuid()))
    return Query(sa.select(*columns).where(*mine).order_by(table.c[place]).limit(PAGE), row)


#: File → its rows, and by which field they come one after another.
KNOWN: Final = {
    "purchases": (_page(charges, "user_id", "purchase_id", _Charge), "purchase_id"),
    "credit": (_page(redemptions, "user_id", "id", _TopUp), "id"),
    "vouchers-used": (_page(uses, "user_id", "voucher_id", _Use), "voucher_id"),
    "voucher-batches": (_page(batches, "created_by", "id", _Batch), "id"),
}
#: It keeps a person from using a voucher too often, and nobody uses any more. The voucher's own count stays.
FORGET_USES: Final = Command(sa.delete(uses).where(uses.c.user_id == bindparam("person")))

_WHY: Final = "others' records refer to it; your number leads to nobody any more"
RECEIPT: Final = Receipt(
    erased=("how often you used which voucher",),
    kept=(
        Kept(what="your number beside the purchases that you made, and the credit that vouchers brought", why=_WHY),
        Kept(what="your number beside vouchers that you made", why=_WHY),
    ),
)


class FreePayPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[FreePaySettings]) -> None:
        self._db = ctx.db

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        for name, (rows, place) in KNOWN.items():
            after, number = UUID(int=0), 0
            while found := await self._db.all(rows, person=subject.user_id, after=after):
                after, number = getattr(found[-1], place), number + 1
                yield document(f"{name}-{number}.json", found)

    async def erase(self, subject: Subject) -> Receipt:
        await self._db.run(FORGET_USES, person=subject.user_id)
        return RECEIPT
