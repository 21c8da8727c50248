"""Ending purchases: the money goes back, and the access with it."""

from __future__ import annotations

from uuid import UUID

from kernel import Context, Delivery
from kernel.contracts.payments import PAYMENTS, Charge, ChargeRefunded
from kernel.database import Session
from plugins.enrollments import purchases
from plugins.enrollments.granting import GRANT, Granting
from plugins.enrollments.settings import EnrollmentsSettings

REFUNDED = "refunded"


class Refunding:
    """Ends the access of purchases whose whole price went back; part of it back leaves the access."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._granting = ctx.own(Granting)

    async def refunded(self, session: Session, delivery: Delivery[ChargeRefunded]) -> None:
        """End the access if nothing of the price is left."""
        charge = await self._ctx.services.get(PAYMENTS).find_charge(delivery.event.purchase_id)
        if charge is not None:
            await self.end_if_refunded(session, charge, delivery.event.reason)

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
        async with self._ctx.db.transaction() as session:
            await self.end_if_refunded(session, charge, reason)
        return charge
