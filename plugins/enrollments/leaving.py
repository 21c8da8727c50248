"""Leaving a course by oneself: the access ends, and what was paid a short time ago goes back.

The access ends in one transaction, which leaves an errand for each purchase whose money goes back. So nobody has left
without being refunded, whatever dies, and nobody is refunded without having left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.enrollments import AccessSuspended, GracePeriodOver
from kernel.contracts.payments import PAYMENTS, NothingToRefund
from kernel.database import Query, Session
from plugins.enrollments.access import GRANTS_OF, Grant, is_over
from plugins.enrollments.bodies import Body
from plugins.enrollments.errands import Errands
from plugins.enrollments.granting import Granting
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.tables import purchases

LEFT: Final = "left"


class Leave(Body, frozen=True, kw_only=True):
    """Whether one leaves also where no money comes back any more."""

    accept_no_refund: bool = False


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase by which a person came to a course."""

    id: UUID
    grant_id: UUID
    amount: int
    currency: str
    created_at: datetime


class Departure(msgspec.Struct, frozen=True, kw_only=True):
    """What came of leaving a course."""

    ended: list[UUID]  #: the grants
    refunded: list[Paid]  #: the purchases of which what was paid goes back, at once or as soon as payments answer


#: Locks the purchase by which a person has a course, of which there is one at most.
LOCK_PAID: Final = Query(
    sa.select(*(purchases.c[name] for name in Paid.__struct_fields__))
    .where(
        purchases.c.user_id == bindparam("user_id"),
        purchases.c.course_id == bindparam("course_id"),
        purchases.c.state == sa.literal_column("'completed'"),
    )
    .with_for_update(),
    Paid,
)


class Leaving:
    """Lets people leave courses."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._granting = ctx.own(Granting)
        self._errands = ctx.own(Errands)

    async def leave(self, session: Session, user_id: UUID, course_id: UUID, *, accept_no_refund: bool) -> Departure:
        """End the person's grants for the course, but for those of staff; who has none ends none.

        Raises:
            AccessSuspended: one of them is suspended: leaving is no way back to the money.
            GracePeriodOver: a purchase would not be refunded, and that is not accepted.
        """
        before = {grant.id for grant in await self._own(session, user_id, course_id)}
        # Locked before the grants, as in a refund: they never wait in a circle. What completes only now is not left.
        locked = await session.all(LOCK_PAID, user_id=user_id, course_id=course_id)
        own = [grant for grant in await self._own(session, user_id, course_id) if grant.id in before]
        if any(grant.state == "suspended" for grant in own):
            raise AccessSuspended
        paid = [one for one in locked if one.grant_id in {grant.id for grant in own}]
        refundable = [one for one in paid if self._is_in_grace(one)]
        late = [one for one in paid if one.amount and one not in refundable]
        if late and not accept_no_refund:
            raise self._over(late)
        for grant in own:
            await self._granting.revoke(session, grant, LEFT)
        for one in refundable:
            await self._errands.leave(session, "refund", one.id, LEFT)
        return Departure(ended=[grant.id for grant in own], refunded=refundable)

    async def refund(self, purchase_id: UUID, reason: str) -> None:
        """Give back what was paid for a purchase that was left; safe to repeat."""
        payments = self._ctx.services.get(PAYMENTS)
        with contextlib.suppress(NothingToRefund):
            await payments.refund(purchase_id, None, key=f"left-{purchase_id}", reason=reason)

    async def _own(self, session: Session, user_id: UUID, course_id: UUID) -> list[Grant]:
        found, now = await session.all(GRANTS_OF, user_id=user_id, course_id=course_id), self._ctx.clock.now()
        return [grant for grant in found if grant.source != "staff" and not is_over(grant, now)]

    def _is_in_grace(self, paid: Paid) -> bool:
        return self._ctx.clock.now() < self._grace_end(paid)

    def _grace_end(self, paid: Paid) -> datetime:
        return paid.created_at + timedelta(days=self._ctx.settings.grace_days)

    def _over(self, late: Sequence[Paid]) -> GracePeriodOver:
        end = max(map(self._grace_end, late))
        return GracePeriodOver(
            f"Until {end:%Y-%m-%d %H:%M} UTC the money would have gone back. Leave without it by 'accept_no_refund'.",
            extensions={"purchase_ids": [str(one.id) for one in late]},
        )
