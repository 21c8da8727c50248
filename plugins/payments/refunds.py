"""Refunds: the way back of what was charged, in parts or whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, Event, errors, failpoint, new_id
from kernel.contracts.payments import Charge, ChargeConflict, ChargeRefunded, NothingToRefund
from kernel.database import Follow, Guarded, Query, Returned, Session, outbox_follow
from plugins.payments.charges import CHARGE_COLUMNS, CHARGE_OF_PURCHASE
from plugins.payments.ledger import Ledger, Movement, bind, revenue_account
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import charges, refunds, wallets
from plugins.payments.voucher_use import VoucherUses

REFUND: Final = "refund"

CREDITED: Final = failpoint("payments.credited")  # in the refund's transaction: the wallet is paid, the charge unmarked


#: Makes an event of a charge before and after a refund.
Tell = Callable[[Charge, Charge], Event]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a caller wants to have refunded; None is all that is left."""

    purchase_id: UUID
    amount: int | None
    key: str
    reason: str


class Earlier(msgspec.Struct, frozen=True):
    """What a key was used for before."""

    purchase_id: UUID
    requested: int | None
    refunded_after: int


EARLIER: Final = Query(
    sa.select(refunds.c.purchase_id, refunds.c.requested, refunds.c.refunded_after).where(
        refunds.c.key == bindparam("key")
    ),
    Earlier,
)

#: Refunds of one person's charges wait for each other here and at the charge, so that each sees what the former left.
#: That a charge never gives back more than was taken rests on `GIVE_BACK`, not on this (SQLite knows no row locks).
LOCK_WALLET: Final = Query(
    sa.select(wallets.c.user_id).where(wallets.c.user_id == bindparam("user_id")).with_for_update(), UUID
)
LOCK_CHARGE: Final = Query(
    sa.select(*CHARGE_COLUMNS).where(charges.c.purchase_id == bindparam("purchase_id")).with_for_update(), Charge
)

_PURCHASE: Final = bindparam("purchase", type_=sa.Uuid())
_SUM: Final = bindparam("sum", type_=sa.BigInteger())
_BEFORE: Final = bindparam("before", type_=sa.BigInteger())
_FROM_CALLER: Final = ("key", "requested", "reason", "created_at")
#: Marks the sum as refunded if so much is left and nothing went back meanwhile, and writes the refund and the event.
GIVE_BACK: Final = Guarded(
    sa.update(charges)
    .where(
        charges.c.purchase_id == _PURCHASE,
        charges.c.returned.is_(False),
        charges.c.refunded == _BEFORE,
        charges.c.refunded + _SUM <= charges.c.amount,
    )
    .values(refunded=charges.c.refunded + _SUM, returned=charges.c.refunded + _SUM == charges.c.amount)
    .returning(charges.c.refunded),
    int,
    (
        Follow(
            refunds,
            {name: bind(f"refund_{name}", refunds.c[name]) for name in _FROM_CALLER}
            | {"purchase_id": _PURCHASE, "amount": _SUM, "refunded_after": Returned("refunded")},
        ),
        outbox_follow(),
    ),
)


class Refunds:
    """Gives money back, once for each key and never more than was taken."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._ctx = ctx
        self._ledger = ctx.own(Ledger)
        self._uses = ctx.own(VoucherUses)

    async def give(self, wish: Wish, tell: Tell | None = None) -> Charge:
        """See `Payments.refund`; publish also what *tell* makes of it."""
        if wish.amount is not None and wish.amount <= 0:
            raise ValueError(f"a refund of {wish.amount} is out of bounds; give back 1 or more, or None for the rest")
        charge = await self._ctx.db.first(CHARGE_OF_PURCHASE, purchase_id=wish.purchase_id)
        try:
            async with self._ctx.db.transaction() as session:
                return await self._give(session, wish, charge, tell)
        except errors.UniqueViolation as error:  # at this moment another purchase used the key
            raise _conflict(wish) from error

    async def _give(self, session: Session, wish: Wish, charge: Charge | None, tell: Tell | None) -> Charge:
        if charge is not None:
            await self._uses.lock(session, charge)
            await session.first(LOCK_WALLET, user_id=charge.user_id)
            charge = await session.first(LOCK_CHARGE, purchase_id=wish.purchase_id)
        earlier = await session.first(EARLIER, key=wish.key)
        if earlier is not None:
            return _first_outcome(earlier, wish, charge)
        if charge is None:
            raise NothingToRefund(f"The purchase {wish.purchase_id} was never charged.")
        after = with_refunded(charge, charge.refunded + amount_of(wish, charge))
        await self._move(session, wish, charge, after)
        if tell is not None:
            await self._ctx.events.publish(session, tell(charge, after))
        return after

    async def _move(self, session: Session, wish: Wish, charge: Charge, after: Charge) -> None:
        now = self._ctx.clock.now()
        amount = after.refunded - charge.refunded
        # Voucher, wallet, charge, as when a charge is taken: the same order everywhere, no deadlock.
        if amount:
            await self._ledger.credit(session, movement_of(wish, charge, after, now))
        await CREDITED()
        refunded = await session.guarded(
            GIVE_BACK,
            purchase=charge.purchase_id,
            before=charge.refunded,
            sum=amount,
            refund_key=wish.key,
            refund_requested=wish.amount,
            refund_reason=wish.reason,
            refund_created_at=now,
            **self._ctx.events.row(_refunded(after, amount, wish.reason)),
        )
        if refunded is None:
            raise _too_little(charge)
        if after.returned:
            await self._uses.give_back(session, charge, now)
        session.after_commit(self._ctx.events.announce)


def amount_of(wish: Wish, charge: Charge) -> int:
    """Return how much *wish* is of *charge*, or raise `NothingToRefund`.

    Of a charge of nothing that used a voucher it is 0, once: only the use goes back.
    """
    left = charge.amount - charge.refunded
    amount = left if wish.amount is None else wish.amount
    nothing_left = charge.returned or (left == 0 and charge.voucher_id is None)
    if nothing_left or amount > left:
        raise _too_little(charge)
    return amount


def with_refunded(charge: Charge, refunded: int) -> Charge:
    """Return *charge* as it is when *refunded* of it, and no more, has gone back."""
    return msgspec.structs.replace(charge, refunded=refunded, returned=refunded == charge.amount)


def promotional_of(amount: int, promotional: int, refunded: int) -> int:
    """Return how much promotional credit went back when *refunded* of a charge did.

    The charge took *amount*, first of it *promotional* from promotional credit. Last in, first out: what was taken
    last, the refundable part, goes back first.
    """
    return max(0, refunded - (amount - promotional))


def movement_of(wish: Wish, charge: Charge, after: Charge, now: datetime) -> Movement:
    """Return the movement of money that makes *charge* what it is *after* the refund."""
    before_and_after = (promotional_of(charge.amount, charge.promotional, one.refunded) for one in (charge, after))
    promotional_before, promotional_after = before_and_after
    return Movement(
        id=new_id(),
        key=f"refund:{wish.key}",
        kind=REFUND,
        user_id=charge.user_id,
        account=revenue_account(charge.course_id),
        amount=after.refunded - charge.refunded,
        promotional=promotional_after - promotional_before,
        currency=charge.currency,
        course_id=charge.course_id,
        reference=charge.purchase_id,
        reason=wish.reason,
        created_at=now,
    )


def _first_outcome(earlier: Earlier, wish: Wish, charge: Charge | None) -> Charge:
    if charge is None or (earlier.purchase_id, earlier.requested) != (wish.purchase_id, wish.amount):
        raise _conflict(wish)
    return with_refunded(charge, earlier.refunded_after)


def _conflict(wish: Wish) -> ChargeConflict:
    return ChargeConflict(f"The refund key {wish.key!r} was used for another refund.")


def _too_little(charge: Charge) -> NothingToRefund:
    left = charge.amount - charge.refunded
    return NothingToRefund(f"At most {left} of {charge.amount} {charge.currency} (minor units) can go back.")


def _refunded(after: Charge, amount: int, reason: str) -> ChargeRefunded:
    return ChargeRefunded(
        purchase_id=after.purchase_id,
        charge_id=after.id,
        user_id=after.user_id,
        course_id=after.course_id,
        amount=amount,
        currency=after.currency,
        reason=reason,
        returned=after.returned,
    )
