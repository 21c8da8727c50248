"""The service behind `payments/1`: it takes nothing, and remembers what it did not take, and by which voucher."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, new_id, problems
from kernel.contracts.courses import COURSES
from kernel.contracts.payments import (
    MAX_AMOUNT,
    Charge,
    ChargeConflict,
    ChargeRefunded,
    NothingToRefund,
    PriceLine,
    PurchaseCharged,
    Quote,
    Redemption,
    VoucherOffer,
)
from kernel.database import Query, Session, Timestamp
from lyceum_freepay.settings import FreePaySettings
from lyceum_freepay.tables import charges, returns
from lyceum_freepay.vouchers import Voucher, Vouchers
from lyceum_freepay.wallets import Wallets


class Remembered(msgspec.Struct, frozen=True):
    """A purchase that cost nothing."""

    purchase_id: UUID
    id: UUID
    user_id: UUID
    course_id: UUID
    asked: int
    currency: str
    created_at: datetime
    voucher_id: UUID | None
    returned: bool = False

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
            voucher_id=self.voucher_id,
            returned=self.returned,
        )


_COLUMNS: Final = tuple(charges.c[name] for name in Remembered.__struct_fields__[:-1])
OF_PURCHASE: Final = Query(
    sa.select(*_COLUMNS, returns.c.purchase_id.is_not(None).label("returned"))
    .join_from(charges, returns, returns.c.purchase_id == charges.c.purchase_id, isouter=True)
    .where(charges.c.purchase_id == bindparam("purchase_id")),
    Remembered,
)
#: Returns nothing if the purchase was charged before.
REMEMBER: Final = Query(
    insert(charges)
    .values({column.name: bindparam(column.name) for column in _COLUMNS})
    .on_conflict_do_nothing(index_elements=["purchase_id"])
    .returning(charges.c.purchase_id),
    UUID,
)
#: Returns nothing if the purchase was returned before, or the key was used.
RETURN: Final = Query(
    insert(returns)
    .values(key=bindparam("key"), purchase_id=bindparam("purchase_id"), created_at=bindparam("now", type_=Timestamp()))
    .on_conflict_do_nothing()
    .returning(returns.c.purchase_id),
    UUID,
)
RETURNED_BY_KEY: Final = Query(sa.select(returns.c.purchase_id).where(returns.c.key == bindparam("key")), UUID)


class FreePayments:
    """Fulfils `kernel.contracts.payments.Payments`."""

    def __init__(self, ctx: Context[FreePaySettings]) -> None:
        self._ctx = ctx
        self._vouchers = ctx.own(Vouchers)
        self._wallets = ctx.own(Wallets)

    async def quote(self, user_id: UUID, course_id: UUID, *, voucher: str | None = None) -> Quote:
        offer = await self._ctx.services.get(COURSES).offer(course_id)
        if offer is None or offer.status != "published":
            raise problems.NotFound
        if voucher is not None:
            await self.check(user_id, voucher, course_id)
        lines = (
            PriceLine(label="List price", amount=offer.price, source="list-price"),
            PriceLine(label="Free for everybody", amount=-offer.price, source="freepay"),
        )
        return Quote(course_id=course_id, total=0, currency=offer.currency, lines=lines)

    async def check(self, user_id: UUID, code: str, course_id: UUID | None = None) -> VoucherOffer:
        voucher = await self._vouchers.find(self._ctx.db, code)
        await self._vouchers.require_usable(self._ctx.db, voucher, user_id, course_id)
        return voucher.offer()

    async def redeem(self, user_id: UUID, code: str, *, key: str) -> Redemption:
        return await self._wallets.redeem(user_id, code, key)

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        if not 0 <= amount <= MAX_AMOUNT:
            raise ValueError(f"a charge of {amount} is out of bounds; charge 0 to {MAX_AMOUNT} minor units")
        async with self._ctx.db.transaction() as session:
            used = await self._used(session, voucher)
            wanted = Remembered(
                purchase_id=purchase_id,
                id=new_id(),
                user_id=user_id,
                course_id=course_id,
                asked=amount,
                currency=self._ctx.deployment.currency,
                created_at=self._ctx.clock.now(),
                voucher_id=used.id if used else None,
            )
            return await self._remember(session, wanted, used)

    async def find_charge(self, purchase_id: UUID) -> Charge | None:
        found = await self._ctx.db.first(OF_PURCHASE, purchase_id=purchase_id)
        return None if found is None else found.charge()

    async def refund(self, purchase_id: UUID, amount: int | None, *, key: str, reason: str) -> Charge:
        if amount is not None and amount <= 0:
            raise ValueError(f"a refund of {amount} is out of bounds; give back 1 or more, or None for the rest")
        async with self._ctx.db.transaction() as session:
            if not await self._give_back(session, purchase_id, amount, key, reason):
                await _require_repeat(session, purchase_id, amount, key)
            return (await session.one(OF_PURCHASE, purchase_id=purchase_id)).charge()

    async def _used(self, session: Session, typed: str | None) -> Voucher | None:
        """Return the voucher whose code was *typed*; a top-up is none that a charge uses."""
        found = await self._vouchers.find(session, typed) if typed is not None else None
        return found if found is not None and found.kind != "top-up" else None

    async def _remember(self, session: Session, wanted: Remembered, used: Voucher | None) -> Charge:
        values = msgspec.structs.asdict(wanted)
        del values["returned"]
        if await session.first(REMEMBER, **values) is None:
            return await _earlier(session, wanted)
        if used is not None:
            await self._vouchers.require_usable(session, used, wanted.user_id, wanted.course_id)
            await self._vouchers.use(session, used, wanted.user_id, 0, wanted.purchase_id)
        event = PurchaseCharged(
            purchase_id=wanted.purchase_id,
            charge_id=wanted.id,
            user_id=wanted.user_id,
            course_id=wanted.course_id,
            amount=0,
            currency=wanted.currency,
        )
        await self._ctx.events.publish(session, event)
        return wanted.charge()

    async def _give_back(self, session: Session, purchase_id: UUID, amount: int | None, key: str, reason: str) -> bool:
        """Give the use of the purchase's voucher back; return False if there is none to give back, or not any more."""
        charge = await session.first(OF_PURCHASE, purchase_id=purchase_id)
        if amount is not None or charge is None or charge.voucher_id is None:
            return False
        if await session.first(RETURN, key=key, purchase_id=purchase_id, now=self._ctx.clock.now()) is None:
            return False
        event = ChargeRefunded(
            purchase_id=purchase_id,
            charge_id=charge.id,
            user_id=charge.user_id,
            course_id=charge.course_id,
            amount=0,
            currency=charge.currency,
            reason=reason,
            returned=True,
        )
        await self._ctx.events.publish(session, event)
        await self._vouchers.give_back(session, charge.voucher_id, charge.user_id, purchase_id)
        return True


async def _earlier(session: Session, wanted: Remembered) -> Charge:
    found = await session.one(OF_PURCHASE, purchase_id=wanted.purchase_id)
    values = [(one.user_id, one.course_id, one.asked, one.voucher_id) for one in (found, wanted)]
    if values[0] != values[1]:
        raise ChargeConflict(f"The purchase {wanted.purchase_id} was charged with other values.")
    return found.charge()


async def _require_repeat(session: Session, purchase_id: UUID, amount: int | None, key: str) -> None:
    """Return if the same refund came before with *key*."""
    earlier = await session.first(RETURNED_BY_KEY, key=key)
    if earlier is None:
        raise NothingToRefund("Nothing was taken.")
    if (earlier, None) != (purchase_id, amount):
        raise ChargeConflict(f"The refund key {key!r} was used for another refund.")
