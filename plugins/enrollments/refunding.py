"""Ending purchases: the money goes back, and the access with it."""

from __future__ import annotations

from uuid import UUID

from kernel import Context, Delivery, failpoint
from kernel.contracts.payments import PAYMENTS, Charge, ChargeRefunded
from kernel.database import Session
from plugins.enrollments import purchases
from plugins.enrollments.errands import Errands
from plugins.enrollments.granting import GRANT, Granting
from plugins.enrollments.settings import EnrollmentsSettings

REFUNDED = "refunded"

PAID_BACK = failpoint("enrollments.paid-back")  # the money is back, the access not ended


class Refunding:
    """Ends the access of purchases whose whole price went back; part of it back leaves the access."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._granting = ctx.own(Granting)
        self._errands = ctx.own(Errands)

    async def refunded(self, session: Session, delivery: Delivery[ChargeRefunded]) -> None:
        """Have the access ended if nothing of the price is left."""
        await self._errands.leave(session, "refunded", delivery.event.purchase_id, delivery.event.reason)

    async def follow(self, purchase_id: UUID, reason: str) -> None:
        """End the access if nothing of the price is left."""
        charge = await self._ctx.services.get(PAYMENTS).find_charge(purchase_id)
        if charge is not None:
            await self._end(charge, reason)

    async def end_if_refunded(self, session: Session, charge: Charge, reason: str) -> None:
        """Mark the purchase as refunded and revoke its grant, if nothing of the price is left; safe to repeat."""
        if charge.refunded < charge.amount:
            return
        purchase = await session.first(
            purchases.REFUNDED, purchase_id=charge.purchase_id, reason=reason, now=self._ctx.clock.now()
        )
        if purchase is None:
            return
        grant = await session.first(GRANT, grant_id=purchase.grant_id)
        if grant is None:
            await self._ctx.events.publish(session, purchases.failed(purchase, REFUNDED))
        else:
            await self._granting.revoke(session, grant, REFUNDED)

    async def refund(self, purchase_id: UUID, amount: int | None, *, key: str, reason: str) -> Charge:
        """Give back *amount* of the price, or all that is left of it.

        Raises:
            NothingToRefund: there is no such charge, or less left than *amount*.
        """
        charge = await self._ctx.services.get(PAYMENTS).refund(purchase_id, amount, key=key, reason=reason)
        await PAID_BACK()
        await self._end(charge, reason)
        return charge

    async def _end(self, charge: Charge, reason: str) -> None:
        async with self._ctx.db.transaction() as session:
            await self.end_if_refunded(session, charge, reason)
