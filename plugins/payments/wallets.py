"""Wallets and their statements, as people read them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, Page, PageQuery, page
from kernel.contracts.payments_http import StatementLine, Wallet
from kernel.database import Query
from plugins.payments.adjustments import ADJUSTMENT
from plugins.payments.charges import CHARGE
from plugins.payments.holdings import HELD, Held
from plugins.payments.redemption import VOUCHER
from plugins.payments.refunds import REFUND
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import entries, transfers

LABELS: Final = {
    VOUCHER: "Voucher redeemed",
    CHARGE: "Course bought",
    REFUND: "Money back",
    ADJUSTMENT: "Changed by an administrator",
}


class StatementRow(msgspec.Struct, frozen=True):
    """One entry of a wallet with what its transfer says; *version* numbers a wallet's entries from 1."""

    version: int
    amount: int
    promotional: int
    balance_after: int
    id: UUID
    kind: str
    currency: str
    reference: UUID
    course_id: UUID | None
    reason: str
    created_at: datetime


#: The newest first; walks the index on (wallet, version), so that each page costs the same.
MOVEMENTS: Final = Query(
    sa.select(
        *(entries.c[name] for name in ("version", "amount", "promotional", "balance_after")),
        *(transfers.c[name] for name in StatementRow.__struct_fields__[4:]),
    )
    .join(transfers, transfers.c.id == entries.c.transfer_id)
    .where(entries.c.wallet_id == bindparam("user_id"), entries.c.version < bindparam("before"))
    .order_by(entries.c.version.desc())
    .limit(bindparam("limit", type_=sa.Integer())),
    StatementRow,
)
_AFTER_ALL: Final = 2**63 - 1
LINES_AT_ONCE: Final = 500  # of a statement that is read whole


class Wallets:
    """Answers what people have and how it came about."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._ctx = ctx

    async def wallet(self, user_id: UUID) -> Wallet:
        held = await self._ctx.db.first(HELD, user_id=user_id) or Held()
        return held.shown(self._ctx.deployment.currency)

    async def statement(self, user_id: UUID, query: PageQuery) -> Page[StatementLine]:
        before = query.after(int) or _AFTER_ALL
        rows = await self._ctx.db.all(MOVEMENTS, user_id=user_id, before=before, limit=query.limit + 1)
        found = page(rows, query, lambda movement: movement.version)
        return Page([_line(movement) for movement in found.items], found.next)

    async def whole_statement(self, user_id: UUID) -> AsyncIterator[list[StatementLine]]:
        """Yield all of it, some lines at a time, the newest first."""
        before = _AFTER_ALL
        while rows := await self._ctx.db.all(MOVEMENTS, user_id=user_id, before=before, limit=LINES_AT_ONCE):
            yield [_line(movement) for movement in rows]
            before = rows[-1].version


def _line(row: StatementRow) -> StatementLine:
    return StatementLine(
        id=row.id,
        kind=row.kind,
        label=LABELS.get(row.kind, row.kind),
        amount=row.amount,
        balance=row.balance_after,
        currency=row.currency,
        reference=row.reference,
        course_id=row.course_id,
        reason=row.reason,
        created_at=row.created_at,
        promotional=row.promotional,
    )
