"""The money of a person: the wallet and its statement, which stay under the number alone.

The ledger is append-only, and has to be kept. It holds no names and no addresses.
"""

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
from kernel.database import Query
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import entries, redemptions, transfers, voucher_batches

PAGE: Final = 500  # movements


class _Movement(msgspec.Struct, frozen=True):
    """An entry of the wallet with its transfer."""

    version: int
    amount: int
    balance_after: int
    kind: str
    currency: str
    reference: UUID
    course_id: UUID | None
    reason: str
    created_at: datetime


class _Use(msgspec.Struct, frozen=True):
    """One use of a voucher."""

    id: UUID
    voucher_id: UUID
    number: int
    purchase_id: UUID | None
    amount: int
    created_at: datetime


class _Batch(msgspec.Struct, frozen=True):
    """Vouchers that the person made."""

    id: UUID
    count: int
    tag: str
    comment: str
    created_at: datetime


MOVEMENTS: Final = Query(
    sa.select(
        *(entries.c[name] for name in _Movement.__struct_fields__[:3]),
        *(transfers.c[name] for name in _Movement.__struct_fields__[3:]),
    )
    .join(transfers, transfers.c.id == entries.c.transfer_id)
    .where(entries.c.wallet_id == bindparam("person"), entries.c.version > bindparam("after"))
    .order_by(entries.c.version)
    .limit(PAGE),
    _Movement,
)
USES: Final = Query(
    sa.select(*(redemptions.c[name] for name in _Use.__struct_fields__))
    .where(redemptions.c.user_id == bindparam("person"))
    .order_by(redemptions.c.id),
    _Use,
)
BATCHES: Final = Query(
    sa.select(*(voucher_batches.c[name] for name in _Batch.__struct_fields__))
    .where(voucher_batches.c.created_by == bindparam("person"))
    .order_by(voucher_batches.c.id),
    _Batch,
)

_WHY: Final = "books have to be kept for as long as the law says; your number leads to nobody any more"
RECEIPT: Final = Receipt(
    kept=(
        Kept(
            what="your number's wallet, the credit that was left in it, and every movement, with what was noted at "
            "refunds and adjustments",
            why=_WHY,
        ),
        Kept(what="your number beside vouchers that you redeemed or made", why=_WHY),
    )
)


class PaymentsPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._db = ctx.db

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        after, number = 0, 0
        while rows := await self._db.all(MOVEMENTS, person=subject.user_id, after=after):
            after, number = rows[-1].version, number + 1
            yield document(f"statement-{number}.json", rows)
        if uses := await self._db.all(USES, person=subject.user_id):
            yield document("vouchers-used.json", uses)
        if made := await self._db.all(BATCHES, person=subject.user_id):
            yield document("voucher-batches.json", made)

    async def erase(self, subject: Subject) -> Receipt:
        return RECEIPT
