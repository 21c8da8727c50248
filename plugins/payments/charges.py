"""Charges: the money that was taken for purchases, each in one round trip."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, errors, new_id
from kernel.contracts.payments import MAX_AMOUNT, Charge, ChargeConflict, InsufficientFunds, PurchaseCharged
from kernel.database import Follow, Guarded, Query, Returned, outbox_follow
from plugins.payments.ledger import DEBIT, FOLLOWS, Ledger, Movement, WalletState, bind, revenue_account
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import charges, wallets

CHARGE: Final = "charge"

CHARGE_COLUMNS: Final = tuple(charges.c[name] for name in Charge.__struct_fields__)
_VALUES: Final = {
    column.name: bind(f"charge_{column.name}", column) for column in CHARGE_COLUMNS if column.name != "promotional"
}
#: Writes the charge after its guard has taken the money.
CHARGE_FOLLOW: Final = Follow(charges, {**_VALUES, "promotional": Returned("other_promotional")})

#: Takes the money, writes the movement, the charge and the event; nothing if the wallet holds too little.
TAKE: Final = Guarded(
    DEBIT, WalletState, (*FOLLOWS, CHARGE_FOLLOW, outbox_follow()), key=("transfer_user_id", "user_id")
)

#: The same for nothing to pay: there is no movement.
TAKE_NOTHING: Final = Guarded(
    sa.insert(charges).values(_VALUES).values(promotional=0).returning(charges.c.purchase_id),
    UUID,
    (outbox_follow(),),
)

CHARGE_OF_PURCHASE: Final = Query(
    sa.select(*CHARGE_COLUMNS).where(charges.c.purchase_id == bindparam("purchase_id")), Charge
)


class Held(msgspec.Struct, frozen=True):
    """What a wallet holds."""

    balance: int = 0
    promotional: int = 0


HELD: Final = Query(
    sa.select(wallets.c.balance, wallets.c.promotional).where(wallets.c.user_id == bindparam("user_id")), Held
)


class Charges:
    """Takes money, once for each purchase."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._ctx = ctx
        self._ledger = ctx.own(Ledger)

    async def find(self, purchase_id: UUID) -> Charge | None:
        return await self._ctx.db.first(CHARGE_OF_PURCHASE, purchase_id=purchase_id)

    async def take(self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int) -> Charge:
        """See `Payments.charge`."""
        if not 0 <= amount <= MAX_AMOUNT:
            raise ValueError(f"a charge of {amount} is out of bounds; charge 0 to {MAX_AMOUNT} minor units")
        wanted = Charge(
            id=new_id(),
            purchase_id=purchase_id,
            user_id=user_id,
            course_id=course_id,
            amount=amount,
            currency=self._ctx.deployment.currency,
            refunded=0,
            created_at=self._ctx.clock.now(),
        )
        try:
            taken = await self._take(wanted)
        except errors.UniqueViolation:  # the twin of this call was faster
            taken = None
        if taken is None:
            return await self._earlier(wanted)
        self._ctx.events.announce()
        return taken

    async def _take(self, charge: Charge) -> Charge | None:
        event = self._ctx.events.row(_charged(charge))
        row = {f"charge_{name}": getattr(charge, name) for name in _VALUES}
        if charge.amount == 0:
            await self._ctx.db.guarded(TAKE_NOTHING, **row, **event)
            return charge
        state = await self._ctx.db.guarded(TAKE, **self._ledger.values(_movement(charge)), **row, **event)
        return None if state is None else msgspec.structs.replace(charge, promotional=state.other_promotional)

    async def _earlier(self, wanted: Charge) -> Charge:
        """Return the charge that the purchase has; with none, *wanted* was not taken for want of money."""
        found = await self.find(wanted.purchase_id)
        if found is None:
            raise await self._insufficient(wanted)
        if (found.user_id, found.course_id, found.amount) != (wanted.user_id, wanted.course_id, wanted.amount):
            raise ChargeConflict(f"The purchase {wanted.purchase_id} was charged with other values.")
        return found

    async def _insufficient(self, wanted: Charge) -> InsufficientFunds:
        held = await self._ctx.db.first(HELD, user_id=wanted.user_id)
        detail = "Nothing was ever paid into the wallet." if held is None else f"The wallet holds {held.balance}."
        return InsufficientFunds(
            f"{detail} The price is {wanted.amount} {wanted.currency} (minor units).",
            extensions={"balance": held.balance if held else 0, "price": wanted.amount, "currency": wanted.currency},
        )


def _movement(charge: Charge) -> Movement:
    return Movement(
        id=new_id(),
        key=f"charge:{charge.purchase_id}",
        kind=CHARGE,
        user_id=charge.user_id,
        account=revenue_account(charge.course_id),
        amount=-charge.amount,
        promotional=None,
        currency=charge.currency,
        course_id=charge.course_id,
        reference=charge.purchase_id,
        reason="",
        created_at=charge.created_at,
    )


def _charged(charge: Charge) -> PurchaseCharged:
    return PurchaseCharged(
        purchase_id=charge.purchase_id,
        charge_id=charge.id,
        user_id=charge.user_id,
        course_id=charge.course_id,
        amount=charge.amount,
        currency=charge.currency,
    )
