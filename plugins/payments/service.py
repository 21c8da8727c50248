"""The service behind `payments/1`."""

from __future__ import annotations

from uuid import UUID

from kernel import Context
from kernel.contracts.payments import Charge, Quote, Redemption, VoucherOffer
from plugins.payments.charges import Charges
from plugins.payments.quotes import Quotes
from plugins.payments.redemption import Redeeming
from plugins.payments.refunds import Refunds, Wish
from plugins.payments.settings import PaymentsSettings
from plugins.payments.vouchers import Vouchers


class PaymentsService:
    """Fulfils `kernel.contracts.payments.Payments`."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._quotes = ctx.own(Quotes)
        self._vouchers = ctx.own(Vouchers)
        self._redeeming = ctx.own(Redeeming)
        self._charges = ctx.own(Charges)
        self._refunds = ctx.own(Refunds)

    async def quote(self, user_id: UUID, course_id: UUID, *, voucher: str | None = None) -> Quote:
        return await self._quotes.quote(user_id, course_id, voucher)

    async def check(self, user_id: UUID, code: str, course_id: UUID | None = None) -> VoucherOffer:
        return await self._vouchers.check(user_id, code, course_id)

    async def redeem(self, user_id: UUID, code: str, *, key: str) -> Redemption:
        return (await self._redeeming.redeem(user_id, code, key)).redemption

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        return await self._charges.take(purchase_id, user_id, course_id, amount, voucher)

    async def find_charge(self, purchase_id: UUID) -> Charge | None:
        return await self._charges.find(purchase_id)

    async def refund(self, purchase_id: UUID, amount: int | None, *, key: str, reason: str) -> Charge:
        return await self._refunds.give(Wish(purchase_id=purchase_id, amount=amount, key=key, reason=reason))
