"""Ending purchases: the money goes back, and, as the institution has it, the access with it.

Whoever asks for a refund is written down before payments are asked for the money. So whatever dies in between, the
refund is finished, by the same request sent again or by the sweeper, and its act is recorded once.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from kernel import Context, Delivery, Request, failpoint, problems
from kernel.contracts.payments import PAYMENTS, Charge, ChargeConflict, ChargeRefunded, NothingToRefund
from kernel.database import Session
from plugins.enrollments import purchases
from plugins.enrollments.bodies import Refund
from plugins.enrollments.errands import Errands
from plugins.enrollments.granting import GRANT, Granting
from plugins.enrollments.refund_requests import ASK, FIND, GIVEN, REFUSED, TAKE_STUCK, RefundRequest, hash_of
from plugins.enrollments.seats import Seats
from plugins.enrollments.settings import EnrollmentsSettings

REFUNDED = "refunded"

ASKED = failpoint("enrollments.refund-asked")  # it is written down, no money has moved
PAID_BACK = failpoint("enrollments.paid-back")  # the money is back, the access not ended


class Refunding:
    """Refunds purchases, and ends their access: when all went back, at any refund or never, as it is set."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._granting = ctx.own(Granting)
        self._seats = ctx.own(Seats)
        self._errands = ctx.own(Errands)

    async def refunded(self, session: Session, delivery: Delivery[ChargeRefunded]) -> None:
        """Have done what follows from a refund."""
        told = delivery.event
        await self._errands.leave(session, "refunded", told.purchase_id, told.reason, event=delivery.id)

    async def follow(self, purchase_id: UUID, reason: str) -> None:
        """Do what follows from a refund of the purchase, if there was one."""
        charge = await self._ctx.services.get(PAYMENTS).find_charge(purchase_id)
        if charge is not None:
            async with self._ctx.db.transaction() as session:
                await self.end(session, charge, reason)

    async def refund(self, purchase_id: UUID, body: Refund, *, key: str, request: Request) -> tuple[Charge, bool]:
        """Give back some of the price, or all that is left of it; with a *key* that came before, say so and do no more.

        Raises:
            NothingToRefund: there is no such charge, or less left than that.
            problems.IdempotencyKeyReused: the key came before with another request.
        """
        asked = await self._asked(key, body)
        if asked is None or asked.state == "refused":
            asked = await self._ask(purchase_id, body, key, request)
        await ASKED()
        return await self.give(asked), asked.state == "given"

    async def finish(self, before: datetime) -> None:
        """Do what was asked for and not tried since *before*: whoever asked may have died with it."""
        for asked in await self._ctx.db.all(TAKE_STUCK, before=before, now=self._ctx.clock.now()):
            facts = {"action": "sweep", "purchase": str(asked.purchase_id)}
            try:
                await self.give(asked)
            except (NothingToRefund, ChargeConflict) as refusal:
                self._ctx.log.info("refund refused", **facts, problem=refusal.type)
            except Exception:
                # The others are not to wait for this one, which is taken up again later.
                self._ctx.log.exception("refund stays stuck", **facts)

    async def give(self, asked: RefundRequest) -> Charge:
        """Have the refund given and settled, its act recorded with it; safe to repeat."""
        payments = self._ctx.services.get(PAYMENTS)
        try:
            after = await payments.refund(asked.purchase_id, asked.amount, key=asked.key, reason=asked.reason)
        except (NothingToRefund, ChargeConflict):
            await self._ctx.db.run(REFUSED, request_key=asked.key)
            raise
        await PAID_BACK()
        async with self._ctx.db.transaction() as session:
            await self.end(session, after, asked.reason)
            if await session.run(GIVEN, request_key=asked.key):
                await self._ctx.events.publish(session, asked.told(after))
        return after

    async def end(self, session: Session, charge: Charge, reason: str) -> None:
        """Write down that all of *charge* went back, and end the access if that follows; safe to repeat."""
        if charge.returned:
            await self._end_whole(session, charge.purchase_id, reason)
        elif charge.refunded and self._ctx.settings.refund_ends_access == "any":
            await self._end_access(session, charge.purchase_id)

    async def _ask(self, purchase_id: UUID, body: Refund, key: str, request: Request) -> RefundRequest:
        """Write the request down, or find the one of a twin."""
        charge = await self._ctx.services.get(PAYMENTS).find_charge(purchase_id)
        if charge is None:
            raise NothingToRefund(f"The purchase {purchase_id} was never charged.")
        asked = RefundRequest.of(request, body, charge, key=key, now=self._ctx.clock.now())
        written = await self._ctx.db.first(ASK, **msgspec.structs.asdict(asked)) or await self._asked(key, body)
        if written is None or written.state == "refused":  # a twin was refused at this moment
            raise problems.RequestInProgress("Repeat it in a moment.", headers={"Retry-After": "1"})
        return written

    async def _asked(self, key: str, body: Refund) -> RefundRequest | None:
        """Return what was asked for with the key before."""
        asked = await self._ctx.db.first(FIND, request_key=key)
        if asked is not None and asked.request_hash != hash_of(body):
            raise problems.IdempotencyKeyReused("Choose a new key for a new refund.")
        return asked

    async def _end_whole(self, session: Session, purchase_id: UUID, reason: str) -> None:
        now = self._ctx.clock.now()
        purchase = await session.first(purchases.REFUNDED, purchase_id=purchase_id, reason=reason, now=now)
        if purchase is None:
            return
        grant = await session.first(GRANT, grant_id=purchase.grant_id)
        if grant is None:
            await self._ctx.events.publish(session, purchases.failed(purchase, REFUNDED))
            await self._seats.settle(session, purchase.course_id, purchase.user_id)
        elif self._ctx.settings.refund_ends_access != "never":
            await self._granting.revoke(session, grant, REFUNDED)

    async def _end_access(self, session: Session, purchase_id: UUID) -> None:
        purchase = await session.first(purchases.PURCHASE, purchase_id=purchase_id)
        grant = None if purchase is None else await session.first(GRANT, grant_id=purchase.grant_id)
        if grant is not None:
            await self._granting.revoke(session, grant, REFUNDED)
