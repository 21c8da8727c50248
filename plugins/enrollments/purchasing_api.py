"""The routes by which courses are bought, and purchases looked at and refunded."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from kernel import REPLAYED, Answer, Context, Page, Request, problems
from kernel.contracts.payments import Charge
from kernel.database import Session
from plugins.enrollments import purchases
from plugins.enrollments.bodies import PurchasesQuery, Refund
from plugins.enrollments.buying import Buying, Receipt
from plugins.enrollments.in_flight import InFlight, MoneyInFlight
from plugins.enrollments.leaving import Departure, Leave, Leaving
from plugins.enrollments.ordering import Order
from plugins.enrollments.permissions import MANAGE
from plugins.enrollments.purchases import PurchaseState
from plugins.enrollments.refunding import Refunding
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.vouchers import AnyVoucher, Brought, Vouchers


class PurchaseView(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase as it stands."""

    id: UUID
    user_id: UUID
    course_id: UUID
    grant_id: UUID
    amount: int  #: minor units of *currency*
    currency: str
    state: PurchaseState
    reason: str
    created_at: datetime


class PurchasingApi:
    """Sells courses."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._buying = ctx.own(Buying)
        self._in_flight = ctx.own(MoneyInFlight)
        self._leaving = ctx.own(Leaving)
        self._refunding = ctx.own(Refunding)
        self._vouchers = ctx.own(Vouchers)

    async def buy(self, request: Request, body: Order) -> Answer[Receipt]:
        """Buy a course with the money in the caller's wallet, and with a voucher of any kind if one is given."""
        bought = await self._buying.buy(request.principal.id, _key(request), body)
        return Answer(bought.receipt, headers=REPLAYED if bought.replayed else {})

    async def redeem(self, request: Request, body: AnyVoucher) -> Answer[Brought]:
        """Use a voucher of any kind: for credit in the caller's wallet, or for a course."""
        brought, replayed = await self._vouchers.redeem(request.principal.id, _key(request), body)
        return Answer(brought, headers=REPLAYED if replayed else {})

    async def show(self, request: Request, purchase_id: UUID) -> PurchaseView:
        """Show a purchase: one's own, or anyone's to those who manage enrolments."""
        found = await self._ctx.db.first(purchases.PURCHASE, purchase_id=purchase_id)
        person = request.principal
        if found is None or (found.user_id != person.id and MANAGE not in person.permissions):
            raise problems.NotFound
        return PurchaseView(**{name: getattr(found, name) for name in PurchaseView.__struct_fields__})

    async def pending(self, query: PurchasesQuery) -> Page[InFlight]:
        """List the purchases that are neither completed nor given up, the oldest first."""
        return await self._in_flight.list(query)

    async def leave(self, request: Request, course_id: UUID, body: Leave, session: Session) -> Departure:
        """Leave a course: one's access ends, and what was paid within the grace period goes back."""
        user_id = request.principal.id
        return await self._leaving.leave(session, user_id, course_id, accept_no_refund=body.accept_no_refund)

    async def refund(self, request: Request, purchase_id: UUID, body: Refund) -> Answer[Charge]:
        """Give back what was paid; as it is set, the access ends with it."""
        if await self._ctx.db.first(purchases.PURCHASE, purchase_id=purchase_id) is None:
            raise problems.NotFound
        key = f"{purchase_id}:{request.principal.id}:{_key(request)}"
        charge, replayed = await self._refunding.refund(purchase_id, body, key=key, request=request)
        return Answer(charge, headers=REPLAYED if replayed else {})


def _key(request: Request) -> str:
    if request.idempotency_key is None:
        raise problems.IdempotencyKeyMissing
    return request.idempotency_key
