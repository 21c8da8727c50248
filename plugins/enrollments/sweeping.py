"""The sweeper: finishes or gives up what a dead process has left, and tells of access that time gives or takes."""

from __future__ import annotations

from datetime import timedelta

from kernel import Context
from kernel.contracts.payments import PAYMENTS
from plugins.enrollments import purchases
from plugins.enrollments.buying import Buying
from plugins.enrollments.granting import BEGUN, EXPIRED, Granting
from plugins.enrollments.purchases import Purchase
from plugins.enrollments.refunding import Refunding
from plugins.enrollments.settings import EnrollmentsSettings


class Sweeper:
    """Looks again and again at what nobody else looks at."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._buying = ctx.own(Buying)
        self._refunding = ctx.own(Refunding)
        self._granting = ctx.own(Granting)

    async def sweep(self) -> None:
        """Settle the purchases and refunds that are stuck, and tell of grants that have begun and that are over."""
        now = self._ctx.clock.now()
        before = now - timedelta(seconds=self._ctx.settings.stuck_after)
        for purchase in await self._ctx.db.all(purchases.TAKE_STUCK, before=before, now=now):
            await self._settle(purchase)
        await self._refunding.finish(before)
        for grant in await self._ctx.db.all(BEGUN, now=now):
            async with self._ctx.db.transaction() as session:
                await self._granting.begin(session, grant)
        for grant in await self._ctx.db.all(EXPIRED, now=now):
            async with self._ctx.db.transaction() as session:
                await self._granting.expire(session, grant, now)

    async def _settle(self, purchase: Purchase) -> None:
        try:
            charge = await self._ctx.services.get(PAYMENTS).find_charge(purchase.id)
            if charge is None:
                outcome = "given up" if await self._buying.give_up(purchase) else "settled meanwhile"
            elif charge.returned:
                outcome = "refunded"
                async with self._ctx.db.transaction() as session:
                    await self._refunding.end(session, charge, outcome)
            else:
                outcome = "completed" if await self._buying.complete(purchase) else "settled meanwhile"
        except Exception:
            # The others are not to wait for this one, which is taken up again later.
            self._ctx.log.exception("purchase stays stuck", action="sweep", purchase=str(purchase.id))
            return
        self._ctx.log.info("stuck purchase settled", action="sweep", purchase=str(purchase.id), outcome=outcome)
