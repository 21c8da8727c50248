"""Ending purchases: the money goes back, and, as the institution has it, the access with it."""

from __future__ import annotations

from uuid import UUID

from kernel import Context, Delivery, Request, failpoint
from kernel.contracts.audit import act
from kernel.contracts.payments import PAYMENTS, Charge, ChargeRefunded
from kernel.database import Session
from plugins.enrollments import purchases
from plugins.enrollments.bodies import Refund
from plugins.enrollments.errands import Errands
from plugins.enrollments.granting import GRANT, Granting
from plugins.enrollments.seats import Seats
from plugins.enrollments.settings import EnrollmentsSettings

REFUNDED = "refunded"

PAID_BACK = failpoint("enrollments.paid-back")  # the money is back, the access not ended


class Refunding:
    """Ends the access of refunded purchases: when all went back, at any refund or never, as it is set."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._granting = ctx.own(Granting)
        self._seats = ctx.own(Seats)
        self._errands = ctx.own(Errands)

    async def refunded(self, session: Session, delivery: Delivery[ChargeRefunded]) -> None:
        """Have done what follows from a refund."""
        await self._errands.leave(session, "refunded", delivery.event.purchase_id, delivery.event.reason)

    async def follow(self, purchase_id: UUID, reason: str) -> None:
        """Do what follows from a refund of the purchase, if there was one."""
        charge = await self._ctx.services.get(PAYMENTS).find_charge(purchase_id)
        if charge is not None:
            async with self._ctx.db.transaction() as session:
                await self.end(session, charge, reason)

    async def refund(self, purchase_id: UUID, body: Refund, *, key: str, request: Request) -> Charge:
        """Give back some of the price, or all that is left of it.

        Raises:
            NothingToRefund: there is no such charge, or less left than that.
        """
        payments = self._ctx.services.get(PAYMENTS)
        before = await payments.find_charge(purchase_id)
        after = await payments.refund(purchase_id, body.amount, key=key, reason=body.reason)
        await PAID_BACK()
        async with self._ctx.db.transaction() as session:
            await self.end(session, after, body.reason)
            if before is not None and _left(after) < _left(before):  # else this key has done it before
                await self._record(session, before, after, body.reason, request)
        return after

    async def end(self, session: Session, charge: Charge, reason: str) -> None:
        """Write down that all of *charge* went back, and end the access if that follows; safe to repeat."""
        if charge.returned:
            await self._end_whole(session, charge.purchase_id, reason)
        elif charge.refunded and self._ctx.settings.refund_ends_access == "any":
            await self._end_access(session, charge.purchase_id)

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

    async def _record(self, session: Session, before: Charge, after: Charge, reason: str, request: Request) -> None:
        told = act(
            request,
            "enrollments.refund_purchase",
            f"purchase:{after.purchase_id}",
            before={"refunded": before.refunded},
            after={"refunded": after.refunded},
            reason=reason,
            about=after.user_id,
        )
        await self._ctx.events.publish(session, told)


def _left(charge: Charge) -> tuple[int, bool]:
    """Return what is left of *charge*: the money, and the use of a voucher."""
    return charge.amount - charge.refunded, not charge.returned
