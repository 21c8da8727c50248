"""The purchase saga: take the money, give the access, and never the one without the other.

A purchase is a row before any money moves, and its id is the key of the charge. So whatever dies in between, what
happened can be found out: the event of the charge completes the purchase, and what stays pending is finished or
given up by the sweeper. A charge that lands after that is given back.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from kernel import Context, Delivery, failpoint, new_id, problems
from kernel.contracts.enrollments import AlreadyEnrolled, PriceChanged, PurchaseCameToNothing
from kernel.contracts.payments import PAYMENTS, InsufficientFunds, NothingToRefund, PurchaseCharged
from kernel.database import Guarded, Session
from plugins.enrollments import purchases
from plugins.enrollments.errands import Errands
from plugins.enrollments.policies import require_allowed
from plugins.enrollments.purchases import Purchase
from plugins.enrollments.settings import EnrollmentsSettings

GIVEN_UP = "abandoned"

BEFORE_CHARGE = failpoint("enrollments.before-charge")
CHARGED = failpoint("enrollments.charged")  # the money is taken, the access not given
ENROLLED = failpoint("enrollments.enrolled")  # before anybody is told


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A course to buy; with *expected_total* only for that price."""

    course_id: UUID
    expected_total: int | None = None


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

    async def buy(self, user_id: UUID, key: str, order: Order) -> Bought:
        """Buy a course; the same *key* with the same *order* is answered alike and charged once.

        A purchase for which the money is missing frees its key.

        Raises:
            problems.NotFound: the course is not on offer.
            EnrollmentRefused, AlreadyEnrolled, PriceChanged, InsufficientFunds: nothing was bought.
            problems.Conflict: another purchase of the course is under way.
            problems.IdempotencyKeyReused: the key came before with another order.
            PurchaseCameToNothing: the purchase took so long that it was given up.
        """
        request_hash = hashlib.sha256(msgspec.json.encode(order)).digest()
        try:
            purchase = await self._begin(user_id, key, order, request_hash)
        except problems.Problem:
            # The key is looked for only now: most requests come once, and are spared the query.
            earlier = await self._ctx.db.first(purchases.PURCHASE_BY_KEY, user_id=user_id, key=key)
            if earlier is None:
                raise
            return await self._again(earlier, request_hash)
        return Bought(receipt=await self._settle(purchase), replayed=False)

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

    async def _begin(self, user_id: UUID, key: str, order: Order, request_hash: bytes) -> Purchase:
        await require_allowed(self._ctx, user_id, order.course_id)
        quote = await self._ctx.services.get(PAYMENTS).quote(user_id, order.course_id)
        if order.expected_total not in (None, quote.total):
            raise PriceChanged(f"It is {quote.total} now.", extensions={"quote": msgspec.to_builtins(quote)})
        purchase = Purchase(
            id=new_id(),
            user_id=user_id,
            course_id=order.course_id,
            grant_id=new_id(),
            request_hash=request_hash,
            amount=quote.total,
            currency=quote.currency,
            state="pending",
            reason="",
            created_at=self._ctx.clock.now(),
        )
        begun = await self._ctx.db.guarded(
            purchases.BEGIN,
            id=purchase.id,
            user_id=user_id,
            course_id=purchase.course_id,
            grant_id=purchase.grant_id,
            key=key,
            request_hash=request_hash,
            amount=purchase.amount,
            currency=purchase.currency,
            created_at=purchase.created_at,
        )
        if begun is None:
            raise await self._refusal(purchase)
        return purchase

    async def _refusal(self, purchase: Purchase) -> problems.Problem:
        owned = await self._ctx.db.first(
            purchases.OWNED, user_id=purchase.user_id, course_id=purchase.course_id, created_at=self._ctx.clock.now()
        )
        if owned is not None:
            return AlreadyEnrolled()
        # Also where that purchase has just failed: nobody is told to have what was not bought.
        return problems.Conflict("A purchase of this course is under way; wait for it.", headers={"Retry-After": "5"})

    async def _again(self, purchase: Purchase, request_hash: bytes) -> Bought:
        if purchase.request_hash != request_hash:
            raise problems.IdempotencyKeyReused("Choose a new key for a new purchase.")
        if purchase.state == "pending":
            return Bought(receipt=await self._settle(purchase), replayed=False)
        return Bought(receipt=_outcome(purchase), replayed=True)

    async def _settle(self, purchase: Purchase) -> Receipt:
        payments = self._ctx.services.get(PAYMENTS)
        await BEFORE_CHARGE()
        try:
            await payments.charge(purchase.id, purchase.user_id, purchase.course_id, purchase.amount)
        except InsufficientFunds:
            await self._fail(purchases.REFUSE, purchase, InsufficientFunds.type)
            raise
        await CHARGED()
        if await self.complete(purchase):
            await ENROLLED()
            return _receipt(purchase)
        return _outcome(await self._ctx.db.one(purchases.PURCHASE, purchase_id=purchase.id))

    async def _fail(self, statement: Guarded[UUID], purchase: Purchase, reason: str) -> bool:
        row = self._ctx.events.row(purchases.failed(purchase, reason))
        now = self._ctx.clock.now()
        done = await self._ctx.db.guarded(statement, purchase_id=purchase.id, reason=reason, now=now, **row)
        self._ctx.events.announce()
        return done is not None

    def _completion(self, purchase: Purchase) -> dict[str, object]:
        row = self._ctx.events.row(purchases.enrolled(purchase))
        return {"purchase_id": purchase.id, "now": self._ctx.clock.now(), **row}


def _outcome(purchase: Purchase) -> Receipt:
    if purchase.state == "failed":
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
