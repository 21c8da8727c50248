"""The purchase saga: take the money, give the access, and never the one without the other.

A purchase is a row before any money moves, and its id is the key of the charge. So whatever dies in between, what
happened can be found out: the event of the charge completes the purchase, and what stays pending is finished or
given up by the sweeper. A charge that lands after that is given back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from kernel import Context, Delivery, failpoint, problems
from kernel.contracts.enrollments import PurchaseCameToNothing
from kernel.contracts.payments import PAYMENTS, InsufficientFunds, NothingToRefund, PurchaseCharged, VoucherRefused
from kernel.database import Guarded, Session
from plugins.enrollments import purchases
from plugins.enrollments.errands import Errands
from plugins.enrollments.ordering import Order, Ordering, credit_key
from plugins.enrollments.purchases import Purchase
from plugins.enrollments.seats import Seats
from plugins.enrollments.settings import EnrollmentsSettings

GIVEN_UP: Final = "abandoned"

BEFORE_CHARGE: Final = failpoint("enrollments.before-charge")
CHARGED: Final = failpoint("enrollments.charged")  # the money is taken, the access not given
ENROLLED: Final = failpoint("enrollments.enrolled")  # before anybody is told


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase that came about."""

    purchase_id: UUID
    grant_id: UUID
    course_id: UUID
    amount: int  #: minor units of *currency*
    currency: str
    created_at: datetime


class Bought(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an order."""

    receipt: Receipt
    replayed: bool  #: whether the purchase had come about when the order came


class Buying:
    """Runs purchases."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._ordering = ctx.own(Ordering)
        self._seats = ctx.own(Seats)

    async def buy(self, user_id: UUID, key: str, order: Order) -> Bought:
        """Buy a course; the same *key* with the same *order* is answered alike and charged once.

        A purchase for which the money or the use of the voucher is missing frees its key.

        Raises:
            problems.NotFound: the course is not on offer.
            problems.Invalid: no course is named, and the voucher is for none.
            EnrollmentRefused, AlreadyEnrolled, AccessSuspended, CourseFull: nothing was bought.
            PriceChanged, VoucherRefused: nothing was bought.
            InsufficientFunds: nothing was bought; what a top-up has brought stays in the wallet.
            problems.Conflict: another purchase of the course is under way.
            problems.IdempotencyKeyReused: the key came before with another order.
            PurchaseCameToNothing: the purchase took so long that it was given up.
        """
        request_hash = self._ordering.hash_of(order)
        try:
            purchase = await self._ordering.begin(user_id, key, order, request_hash)
        except problems.Problem:
            # The key is looked for only now: most requests come once, and are spared the query.
            earlier = await self._ctx.db.first(purchases.PURCHASE_BY_KEY, user_id=user_id, key=key)
            if earlier is None:
                raise
            if earlier.request_hash != request_hash:
                raise problems.IdempotencyKeyReused("Choose a new key for a new purchase.") from None
            if earlier.state != "pending":
                return Bought(receipt=_outcome(earlier), replayed=True)
            purchase = earlier
        return Bought(receipt=await self._settle(purchase, key, order.voucher), replayed=False)

    async def complete(self, purchase: Purchase) -> bool:
        """Give the access that was paid for; return False when the purchase is not pending any more."""
        done = await self._ctx.db.guarded(purchases.COMPLETE, **self._completion(purchase))
        self._ctx.events.announce()
        return done is not None

    async def give_up(self, purchase: Purchase) -> bool:
        """Mark the purchase as failed for good; return False when it is not pending any more."""
        return await self._fail(purchases.FAIL, purchase, GIVEN_UP)

    async def charged(self, session: Session, delivery: Delivery[PurchaseCharged]) -> None:
        """Give the access where the process that took the money could not; have late money given back."""
        purchase_id = delivery.event.purchase_id
        purchase = await session.first(purchases.PURCHASE, purchase_id=purchase_id)
        if purchase is not None and purchase.state == "pending":
            if await session.guarded(purchases.COMPLETE, **self._completion(purchase)) is not None:
                session.after_commit(self._ctx.events.announce)
                return
            purchase = await session.first(purchases.PURCHASE, purchase_id=purchase_id)
        if purchase is None:
            self._ctx.log.warning("charge of nobody's purchase", action="charged", purchase=str(purchase_id))
        elif purchase.state == "failed":
            await self._ctx.own(Errands).leave(session, "give-back", purchase_id, GIVEN_UP)

    async def settled(self, session: Session, deliveries: Sequence[Delivery[PurchaseCharged]]) -> set[UUID]:
        """Return the deliveries of charges whose purchase was completed already, as almost all are."""
        ids = [delivery.event.purchase_id for delivery in deliveries]
        settled = set(await session.all(purchases.SETTLED, purchase_ids=ids))
        return {delivery.id for delivery in deliveries if delivery.event.purchase_id in settled}

    async def give_back(self, purchase_id: UUID, reason: str) -> None:
        """Return the money of a purchase that was given up before it was charged; safe to repeat."""
        payments = self._ctx.services.get(PAYMENTS)
        with contextlib.suppress(NothingToRefund):
            await payments.refund(purchase_id, None, key=f"late-{purchase_id}", reason=reason)

    async def _settle(self, purchase: Purchase, key: str, code: str | None) -> Receipt:
        await BEFORE_CHARGE()
        try:
            await self._pay(purchase, key, code)
        except (InsufficientFunds, VoucherRefused) as refusal:
            await self._fail(purchases.REFUSE, purchase, refusal.type)
            raise
        await CHARGED()
        if await self.complete(purchase):
            await ENROLLED()
            return _receipt(purchase)
        return _completed(await self._ctx.db.one(purchases.PURCHASE, purchase_id=purchase.id))

    async def _pay(self, purchase: Purchase, key: str, code: str | None) -> None:
        """Charge the purchase, once; a top-up is redeemed first, once."""
        payments = self._ctx.services.get(PAYMENTS)
        charged = (purchase.id, purchase.user_id, purchase.course_id, purchase.amount)
        if code is None or purchase.voucher_kind != "top-up":
            await payments.charge(*charged, voucher=code)
            return
        credit = await payments.redeem(purchase.user_id, code, key=credit_key(key, purchase.request_hash))
        try:
            await payments.charge(*charged)
        except InsufficientFunds as refusal:
            raise InsufficientFunds(
                f"{refusal.detail} What the voucher brought, {credit.amount}, is in the wallet.".lstrip(),
                extensions={**refusal.extensions, "redeemed": credit.amount},
            ) from refusal

    async def _fail(self, statement: Guarded[UUID], purchase: Purchase, reason: str) -> bool:
        row = self._ctx.events.row(purchases.failed(purchase, reason))
        now = self._ctx.clock.now()
        async with self._ctx.db.transaction() as session:
            done = await session.guarded(statement, purchase_id=purchase.id, reason=reason, now=now, **row)
            if done is not None:
                await self._seats.settle(session, purchase.course_id, purchase.user_id)
                session.after_commit(self._ctx.events.announce)
        return done is not None

    def _completion(self, purchase: Purchase) -> dict[str, object]:
        row = self._ctx.events.row(purchases.enrolled(purchase))
        return {"purchase_id": purchase.id, "now": self._ctx.clock.now(), **row}


def _outcome(purchase: Purchase) -> Receipt:
    if purchase.state == "failed":
        raise PurchaseCameToNothing
    return _receipt(purchase)


def _completed(purchase: Purchase) -> Receipt:
    """Return the receipt of a purchase that somebody else has settled, if it came about."""
    if purchase.state != "completed":
        raise PurchaseCameToNothing
    return _receipt(purchase)


def _receipt(purchase: Purchase) -> Receipt:
    return Receipt(
        purchase_id=purchase.id,
        grant_id=purchase.grant_id,
        course_id=purchase.course_id,
        amount=purchase.amount,
        currency=purchase.currency,
        created_at=purchase.created_at,
    )
