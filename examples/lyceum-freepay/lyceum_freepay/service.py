"""The service behind `payments/1`: it takes nothing, and remembers what it did not take."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, errors, new_id, problems
from kernel.contracts.courses import COURSES
from kernel.contracts.payments import (
    MAX_AMOUNT,
    Charge,
    ChargeConflict,
    NothingToRefund,
    PriceLine,
    PurchaseCharged,
    Quote,
)
from kernel.database import Guarded, Query, outbox_follow
from lyceum_freepay.settings import FreePaySettings
from lyceum_freepay.tables import charges


class Remembered(msgspec.Struct, frozen=True):
    """A purchase that cost nothing."""

    purchase_id: UUID
    id: UUID
    user_id: UUID
    course_id: UUID
    asked: int
    currency: str
    created_at: datetime

    def charge(self) -> Charge:
        return Charge(
            id=self.id,
            purchase_id=self.purchase_id,
            user_id=self.user_id,
            course_id=self.course_id,
            amount=0,
            currency=self.currency,
            refunded=0,
            created_at=self.created_at,
        )


_COLUMNS: Final = tuple(charges.c[name] for name in Remembered.__struct_fields__)
OF_PURCHASE: Final = Query(sa.select(*_COLUMNS).where(charges.c.purchase_id == bindparam("purchase_id")), Remembered)
#: Remembers the purchase and tells of it in one transaction.
REMEMBER: Final = Guarded(
    sa.insert(charges)
    .values({column.name: bindparam(column.name) for column in _COLUMNS})
    .returning(charges.c.purchase_id),
    UUID,
    [outbox_follow()],
)


class FreePayments:
    """Fulfils `kernel.contracts.payments.Payments`."""

    def __init__(self, ctx: Context[FreePaySettings]) -> None:
        self._ctx = ctx

    async def quote(self, user_id: UUID, course_id: UUID) -> Quote:
        offer = await self._ctx.services.get(COURSES).offer(course_id)
        if offer is None or offer.status != "published":
            raise problems.NotFound
        lines = (
            PriceLine(label="List price", amount=offer.price, source="list-price"),
            PriceLine(label="Free for everybody", amount=-offer.price, source="freepay"),
        )
        return Quote(course_id=course_id, total=0, currency=offer.currency, lines=lines)

    async def charge(self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int) -> Charge:
        if not 0 <= amount <= MAX_AMOUNT:
            raise ValueError(f"a charge of {amount} is out of bounds; charge 0 to {MAX_AMOUNT} minor units")
        wanted = Remembered(
            purchase_id=purchase_id,
            id=new_id(),
            user_id=user_id,
            course_id=course_id,
            asked=amount,
            currency=self._ctx.deployment.currency,
            created_at=self._ctx.clock.now(),
        )
        try:
            await self._remember(wanted)
        except errors.UniqueViolation:
            return await self._earlier(wanted)
        return wanted.charge()

    async def find_charge(self, purchase_id: UUID) -> Charge | None:
        found = await self._ctx.db.first(OF_PURCHASE, purchase_id=purchase_id)
        return None if found is None else found.charge()

    async def refund(self, purchase_id: UUID, amount: int | None, *, key: str, reason: str) -> Charge:
        if amount is not None and amount <= 0:
            raise ValueError(f"a refund of {amount} is out of bounds; give back 1 or more, or None for the rest")
        raise NothingToRefund("Nothing was taken.")

    async def _remember(self, wanted: Remembered) -> None:
        event = PurchaseCharged(
            purchase_id=wanted.purchase_id,
            charge_id=wanted.id,
            user_id=wanted.user_id,
            course_id=wanted.course_id,
            amount=0,
            currency=wanted.currency,
        )
        await self._ctx.db.guarded(REMEMBER, **msgspec.structs.asdict(wanted), **self._ctx.events.row(event))
        self._ctx.events.announce()

    async def _earlier(self, wanted: Remembered) -> Charge:
        found = await self._ctx.db.one(OF_PURCHASE, purchase_id=wanted.purchase_id)
        if (found.user_id, found.course_id, found.asked) != (wanted.user_id, wanted.course_id, wanted.asked):
            raise ChargeConflict(f"The purchase {wanted.purchase_id} was charged with other values.")
        return found.charge()
