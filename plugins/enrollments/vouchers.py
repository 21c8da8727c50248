"""One field for vouchers of every kind: credit, a course of its own free, or one at a lower price."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # compiles on SQLite just as well

from kernel import Context, problems
from kernel.contracts.payments import PAYMENTS, Redemption
from kernel.database import Query
from plugins.enrollments import purchases
from plugins.enrollments.bodies import Body
from plugins.enrollments.buying import Buying, Receipt
from plugins.enrollments.ordering import Code, Order, Ordering
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.tables import voucher_requests

#: Returns what the key is for: this request, if it is new, or the one that came first with it.
CLAIM: Final = Query(
    insert(voucher_requests)
    .values({name: bindparam(name) for name in ("user_id", "key", "request_hash")})
    .on_conflict_do_update(
        index_elements=[voucher_requests.c.user_id, voucher_requests.c.key],
        set_={"request_hash": voucher_requests.c.request_hash},
    )
    .returning(voucher_requests.c.request_hash),
    bytes,
)


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
            problems.IdempotencyKeyReused: the key came before with another request, also with one that was refused.
            And whatever `Buying.buy` raises.
        """
        own_key = f"voucher {key}"  # it holds a space, so it is none of a purchase's
        order = Order(course_id=typed.course_id, expected_total=typed.expected_total, voucher=typed.code)
        await self._claim(user_id, key, self._ordering.hash_of(order))
        if not await self._buys(user_id, own_key, typed):
            credit = await self._ctx.services.get(PAYMENTS).redeem(user_id, typed.code, key=own_key)
            return Brought(credit=credit), False
        bought = await self._buying.buy(user_id, own_key, order)
        return Brought(receipt=bought.receipt), bought.replayed

    async def _claim(self, user_id: UUID, key: str, request_hash: bytes) -> None:
        if await self._ctx.db.one(CLAIM, user_id=user_id, key=key, request_hash=request_hash) != request_hash:
            raise problems.IdempotencyKeyReused("Choose a new key for another voucher.")

    async def _buys(self, user_id: UUID, key: str, typed: AnyVoucher) -> bool:
        """Return whether a course is bought with the voucher, or was with this *key*."""
        if await self._ctx.db.first(purchases.PURCHASE_BY_KEY, user_id=user_id, key=key) is not None:
            return True
        use = await self._ordering.use_of(user_id, typed.code, typed.course_id, key=key)
        return use.kind != "top-up"
