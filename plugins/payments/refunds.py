"""Refunds: the way back of what was charged, in parts or whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, errors, failpoint, new_id
from kernel.contracts.payments import Charge, ChargeConflict, ChargeRefunded, NothingToRefund
from kernel.database import Follow, Guarded, Query, Returned, Session, outbox_follow
from plugins.payments.charges import CHARGE_OF_PURCHASE
from plugins.payments.ledger import Movement, bind, credit, revenue_account
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import charges, refunds, wallets

REFUND: Final = "refund"

CREDITED: Final = failpoint("payments.credited")  # in the refund's transaction: the wallet is paid, the charge unmarked


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

#: Refunds of one person's charges wait for each other here, so that each sees what the former left. That a charge
#: never gives back more than was taken rests on `GIVE_BACK`, not on this (SQLite knows no row locks).
LOCK_WALLET: Final = Query(
    sa.select(wallets.c.user_id).where(wallets.c.user_id == bindparam("user_id")).with_for_update(), UUID
)

_PURCHASE: Final = bindparam("purchase", type_=sa.Uuid())
_SUM: Final = bindparam("sum", type_=sa.BigInteger())
_FROM_CALLER: Final = ("key", "requested", "reason", "created_at")
#: Marks the sum as refunded if so much is left, and writes the refund and the event.
GIVE_BACK: Final = Guarded(
    sa.update(charges)
    .where(charges.c.purchase_id == _PURCHASE, charges.c.refunded + _SUM <= charges.c.amount)
    .values(refunded=charges.c.refunded + _SUM)
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

    async def give(self, wish: Wish) -> Charge:
        """See `Payments.refund`."""
        if wish.amount is not None and wish.amount <= 0:
            raise ValueError(f"a refund of {wish.amount} is out of bounds; give back 1 or more, or None for the rest")
        charge = await self._ctx.db.first(CHARGE_OF_PURCHASE, purchase_id=wish.purchase_id)
        try:
            async with self._ctx.db.transaction() as session:
                return await self._give(session, wish, charge)
        except errors.UniqueViolation as error:  # at this moment another purchase used the key
            raise _conflict(wish) from error

    async def _give(self, session: Session, wish: Wish, charge: Charge | None) -> Charge:
        if charge is not None:
            await session.first(LOCK_WALLET, user_id=charge.user_id)
        earlier = await session.first(EARLIER, key=wish.key)
        charge = await session.first(CHARGE_OF_PURCHASE, purchase_id=wish.purchase_id)
        if earlier is not None:
            return _first_outcome(earlier, wish, charge)
        if charge is None:
            raise NothingToRefund(f"The purchase {wish.purchase_id} was never charged.")
        return await self._move(session, wish, charge, amount_of(wish, charge))

    async def _move(self, session: Session, wish: Wish, charge: Charge, amount: int) -> Charge:
        now = self._ctx.clock.now()
        movement = Movement(
            id=new_id(),
            key=f"refund:{wish.key}",
            kind=REFUND,
            user_id=charge.user_id,
            account=revenue_account(charge.course_id),
            amount=amount,
            currency=charge.currency,
            course_id=charge.course_id,
            reference=charge.purchase_id,
            reason=wish.reason,
            created_at=now,
        )
        # The wallet comes first here as it does when a charge is taken: the same order everywhere, no deadlock.
        await credit(session, movement)
        await CREDITED()
        refunded = await session.guarded(
            GIVE_BACK,
            purchase=charge.purchase_id,
            sum=amount,
            refund_key=wish.key,
            refund_requested=wish.amount,
            refund_reason=wish.reason,
            refund_created_at=now,
            **self._ctx.events.row(_refunded(charge, amount, wish.reason)),
        )
        if refunded is None:
            raise _too_little(charge)
        session.after_commit(self._ctx.events.announce)
        return msgspec.structs.replace(charge, refunded=refunded)


def amount_of(wish: Wish, charge: Charge) -> int:
    """Return how much *wish* is of *charge*, or raise `NothingToRefund`."""
    left = charge.amount - charge.refunded
    amount = left if wish.amount is None else wish.amount
    if left == 0 or amount > left:
        raise _too_little(charge)
    return amount


def _first_outcome(earlier: Earlier, wish: Wish, charge: Charge | None) -> Charge:
    if charge is None or (earlier.purchase_id, earlier.requested) != (wish.purchase_id, wish.amount):
        raise _conflict(wish)
    return msgspec.structs.replace(charge, refunded=earlier.refunded_after)


def _conflict(wish: Wish) -> ChargeConflict:
    return ChargeConflict(f"The refund key {wish.key!r} was used for another refund.")


def _too_little(charge: Charge) -> NothingToRefund:
    left = charge.amount - charge.refunded
    return NothingToRefund(f"{left} of {charge.amount} {charge.currency} (minor units) are left.")


def _refunded(charge: Charge, amount: int, reason: str) -> ChargeRefunded:
    return ChargeRefunded(
        purchase_id=charge.purchase_id,
        charge_id=charge.id,
        user_id=charge.user_id,
        course_id=charge.course_id,
        amount=amount,
        currency=charge.currency,
        reason=reason,
    )
