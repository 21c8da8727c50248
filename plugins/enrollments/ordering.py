"""Orders: what a person wants to buy, and with which voucher, becomes a pending purchase, and with it a seat."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import msgspec

from kernel import Context, new_id, problems
from kernel.contracts.enrollments import AccessSuspended, AlreadyEnrolled, PriceChanged
from kernel.contracts.payments import PAYMENTS, PriceLine, Quote, VoucherKind, VoucherRefused
from plugins.enrollments import purchases
from plugins.enrollments.policies import require_allowed
from plugins.enrollments.purchases import Purchase
from plugins.enrollments.seats import Seats
from plugins.enrollments.settings import EnrollmentsSettings

Code = Annotated[str, msgspec.Meta(max_length=100)]


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A course to buy; with *expected_total* only for that price.

    *voucher* is the code of any kind of voucher: one that lowers the price is used, a top-up is redeemed before. The
    course need not be named where the voucher enrols in exactly one.
    """

    course_id: UUID | None = None
    expected_total: int | None = None
    voucher: Code | None = None

    def __post_init__(self) -> None:
        if self.course_id is None and self.voucher is None:
            raise ValueError("name a 'course_id', or a 'voucher' that is for one course")


class Use(msgspec.Struct, frozen=True):
    """What a voucher of this *kind* is used for."""

    kind: VoucherKind
    course_ids: tuple[UUID, ...]


def credit_key(key: str, request_hash: bytes) -> str:
    """Return the idempotency key with which an order redeems its top-up. It holds spaces, so nobody can send it."""
    return f"purchase {key} {request_hash.hex()}"


class Ordering:
    """Begins purchases."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._seats = ctx.own(Seats)

    def hash_of(self, order: Order) -> bytes:
        """Return what tells *order* from another one with the same key, and gives no code away."""
        plain = msgspec.json.encode({"course_id": order.course_id, "expected_total": order.expected_total})
        if order.voucher is None:
            return hashlib.sha256(plain).digest()
        return self._ctx.secrets.digest("enrollments order", plain + order.voucher.encode())

    async def begin(self, user_id: UUID, key: str, order: Order, request_hash: bytes) -> Purchase:
        """Write down that the person buys the course, at the price of this moment; see `Buying.buy`."""
        use = None
        if order.voucher is not None:
            credit = credit_key(key, request_hash)
            use = await self.use_of(user_id, order.voucher, order.course_id, key=credit)
        course_id = _course(order, use)
        await require_allowed(self._ctx, user_id, course_id)
        quote = await self._quote(user_id, course_id, order, use)
        purchase = Purchase(
            id=new_id(),
            user_id=user_id,
            course_id=course_id,
            grant_id=new_id(),
            request_hash=request_hash,
            amount=quote.total,
            currency=quote.currency,
            state="pending",
            reason="",
            voucher_kind=None if use is None else use.kind,
            created_at=self._ctx.clock.now(),
        )
        await self._write(purchase, key)
        return purchase

    async def use_of(self, user_id: UUID, code: str, course_id: UUID | None, *, key: str) -> Use:
        """Return what the voucher is used for now; *key* is the one with which a top-up is redeemed.

        Raises:
            VoucherRefused: for nothing.
        """
        payments = self._ctx.services.get(PAYMENTS)
        try:
            offer = await payments.check(user_id, code, course_id)
        except VoucherRefused as refusal:
            # The same request may have redeemed it before, so that nothing is left of it: its key is answered alike.
            try:
                await payments.redeem(user_id, code, key=key)
            except VoucherRefused:
                raise refusal from None
            return Use("top-up", ())
        return Use(offer.kind, offer.course_ids)

    async def _quote(self, user_id: UUID, course_id: UUID, order: Order, use: Use | None) -> Quote:
        voucher = None if use is None or use.kind == "top-up" else order.voucher
        quote = await self._ctx.services.get(PAYMENTS).quote(user_id, course_id, voucher=voucher)
        if use is not None and use.kind == "discount" and not any(line.amount < 0 for line in _of_voucher(quote)):
            raise VoucherRefused(
                "It would not lower the price; keep it for another course.", extensions={"reason": "no-discount"}
            )
        if order.expected_total not in (None, quote.total):
            raise PriceChanged(f"It is {quote.total} now.", extensions={"quote": msgspec.to_builtins(quote)})
        return quote

    async def _write(self, purchase: Purchase, key: str) -> None:
        row = {name: getattr(purchase, name) for name in purchases.GIVEN} | {"key": key}
        begun = await self._ctx.db.guarded(purchases.BEGIN, **row)
        if begun is None and not await self._write_seated(purchase, row):
            raise await self._refusal(purchase)

    async def _write_seated(self, purchase: Purchase, row: dict[str, object]) -> bool:
        """Do the same for a course with a number of seats; return False where that is not what was in the way."""
        if not await self._seats.limited(purchase.course_id):
            return False
        async with self._ctx.db.transaction() as session:
            if await session.guarded(purchases.BEGIN_SEATED, **row) is None:
                return False
            await self._seats.take(session, purchase.course_id, purchase.user_id)
        return True

    async def _refusal(self, purchase: Purchase) -> problems.Problem:
        mine = {"user_id": purchase.user_id, "course_id": purchase.course_id, "created_at": self._ctx.clock.now()}
        if await self._ctx.db.first(purchases.SUSPENDED, **mine) is not None:
            return AccessSuspended()
        if await self._ctx.db.first(purchases.OWNED, **mine) is not None:
            return AlreadyEnrolled()
        # Also where that purchase has just failed: nobody is told to have what was not bought.
        return problems.Conflict("A purchase of this course is under way; wait for it.", headers={"Retry-After": "5"})


def _of_voucher(quote: Quote) -> Iterator[PriceLine]:
    return (line for line in quote.lines if line.source == "voucher")


def _course(order: Order, use: Use | None) -> UUID:
    """Return the course that *order* names, or the only one that its voucher is for."""
    if order.course_id is not None:
        return order.course_id
    assert use is not None  # an order has one or the other  # noqa: S101
    if use.kind == "enrol" and len(use.course_ids) == 1:
        return use.course_ids[0]
    if use.kind == "top-up":
        wrong = problems.FieldError("body.course_id", "is missing: this voucher is for no course, name the one to buy")
        raise problems.Invalid(fields=[wrong])
    raise VoucherRefused(
        "Name the course that the voucher is to be used for.",
        extensions={"reason": "needs-course", "kind": use.kind, "course_ids": list(map(str, use.course_ids))},
    )
