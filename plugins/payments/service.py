"""The service behind `payments/1`."""

from __future__ import annotations

from uuid import UUID

from kernel import Context
from kernel.contracts.payments import Charge, Quote
from plugins.payments.charges import Charges
from plugins.payments.quotes import Quotes
from plugins.payments.refunds import Refunds, Wish
from plugins.payments.settings import PaymentsSettings


class PaymentsService:
    """Fulfils `kernel.contracts.payments.Payments`."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._quotes = Quotes(ctx)
        self._charges = ctx.own(Charges)
        self._refunds = ctx.own(Refunds)

    async def quote(self, user_id: UUID, course_id: UUID) -> Quote:
        return await self._quotes.quote(user_id, course_id)

    async def charge(self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int) -> Charge:
        return await self._charges.take(purchase_id, user_id, course_id, amount)

    async def find_charge(self, purchase_id: UUID) -> Charge | None:
        return await self._charges.find(purchase_id)

    async def refund(self, purchase_id: UUID, amount: int | None, *, key: str, reason: str) -> Charge:
        return await self._refunds.give(Wish(purchase_id=purchase_id, amount=amount, key=key, reason=reason))
