"""One field for vouchers of every kind: credit, a course of its own free, or one at a lower price."""

from __future__ import annotations

from uuid import UUID

import msgspec

from kernel import Context
from kernel.contracts.payments import PAYMENTS, Redemption
from plugins.enrollments import purchases
from plugins.enrollments.bodies import Body
from plugins.enrollments.buying import Buying, Receipt
from plugins.enrollments.ordering import Code, Order, Ordering
from plugins.enrollments.settings import EnrollmentsSettings


class AnyVoucher(Body, frozen=True, kw_only=True):
    """A voucher's code as a person typed it, and the course that it is typed for, if any.

    With *expected_total* a course is bought for that price only. A top-up buys nothing, whatever is named beside it.
    """

    code: Code
    course_id: UUID | None = None
    expected_total: int | None = None


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What a voucher brought: *credit* in the wallet, or a course."""

    credit: Redemption | None = None
    receipt: Receipt | None = None


class Vouchers:
    """Does with a voucher what it is for."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._buying = ctx.own(Buying)
        self._ordering = ctx.own(Ordering)

    async def redeem(self, user_id: UUID, key: str, typed: AnyVoucher) -> tuple[Brought, bool]:
        """Use the voucher, once for each *key*; return also whether a course was bought before.

        Raises:
            VoucherRefused: it brings nothing; `needs-course` where it is used by buying a course that nobody named.
            And whatever `Buying.buy` raises.
        """
        own_key = f"voucher {key}"  # it holds a space, so it is none of a purchase's
        if not await self._buys(user_id, own_key, typed):
            credit = await self._ctx.services.get(PAYMENTS).redeem(user_id, typed.code, key=own_key)
            return Brought(credit=credit), False
        order = Order(course_id=typed.course_id, expected_total=typed.expected_total, voucher=typed.code)
        bought = await self._buying.buy(user_id, own_key, order)
        return Brought(receipt=bought.receipt), bought.replayed

    async def _buys(self, user_id: UUID, key: str, typed: AnyVoucher) -> bool:
        """Return whether a course is bought with the voucher, or was with this *key*."""
        if await self._ctx.db.first(purchases.PURCHASE_BY_KEY, user_id=user_id, key=key) is not None:
            return True
        use = await self._ordering.use_of(user_id, typed.code, typed.course_id, key=key)
        return use.kind != "top-up"
