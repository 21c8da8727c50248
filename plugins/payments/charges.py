"""Charges: the money that was taken for purchases, each in one round trip."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, errors, new_id, problems
from kernel.contracts.payments import MAX_AMOUNT, Charge, ChargeConflict, InsufficientFunds, PurchaseCharged
from kernel.database import Database, Follow, Guarded, Query, Returned, Session, outbox_follow
from plugins.payments.holdings import HELD, Held
from plugins.payments.ledger import DEBIT, FOLLOWS, Ledger, Movement, WalletState, bind, revenue_account
from plugins.payments.quotes import Quotes
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import charges
from plugins.payments.terms import Voucher, is_for
from plugins.payments.uses import ATTEMPTS
from plugins.payments.voucher_use import NothingTaken, VoucherUses
from plugins.payments.vouchers import Vouchers

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


class Charges:
    """Takes money, once for each purchase."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._ctx = ctx
        self._ledger = ctx.own(Ledger)
        self._vouchers = ctx.own(Vouchers)
        self._uses = ctx.own(VoucherUses)
        self._quotes = ctx.own(Quotes)

    async def find(self, purchase_id: UUID) -> Charge | None:
        return await self._ctx.db.first(CHARGE_OF_PURCHASE, purchase_id=purchase_id)

    async def take(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, typed: str | None = None
    ) -> Charge:
        """See `Payments.charge`; *typed* is the code of a voucher."""
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
        if typed is not None:
            return await self._take_with(await self._vouchers.find(typed), wanted)
        try:
            taken = await self._take(self._ctx.db, wanted)
        except errors.UniqueViolation:  # the twin of this call was faster
            taken = None
        if taken is None:
            return await self._earlier(wanted)
        self._ctx.events.announce()
        return taken

    async def _take_with(self, voucher: Voucher | None, wanted: Charge) -> Charge:
        """Take the money and a use of *voucher*, both or neither; of a top-up there is nothing to use."""
        off = 0
        if voucher is not None and voucher.kind != "top-up":
            wanted = msgspec.structs.replace(wanted, voucher_id=voucher.id)
            off = await self._quotes.taken_off(wanted.user_id, wanted.course_id, wanted.amount)
        for _ in range(ATTEMPTS):
            taken = await self._take_both(voucher, wanted, off)
            if taken is not None:
                self._ctx.events.announce()
                return taken
            found = await self.find(wanted.purchase_id)
            if found is not None:
                return _repeated(found, wanted, known=voucher is not None)
            await self._vouchers.require_usable(wanted.user_id, voucher, wanted.course_id)
            await self._require_funds(wanted)
        raise problems.Conflict("Too many requests of yours use this voucher at once; repeat this one in a moment.")

    async def _take_both(self, voucher: Voucher | None, wanted: Charge, off: int) -> Charge | None:
        """Return the charge, None if there was none, for whatever reason; then nothing was used, either."""
        if voucher is None or self._vouchers.refusal_now(voucher) or not is_for(voucher, wanted.course_id):
            return None
        try:
            async with self._ctx.db.transaction() as session:
                if wanted.voucher_id is not None:
                    await self._uses.take(session, voucher, wanted, off)
                taken = await self._take(session, wanted)
                if taken is None:
                    raise NothingTaken
                return taken
        except (NothingTaken, errors.UniqueViolation):
            return None

    async def _take(self, db: Session | Database, charge: Charge) -> Charge | None:
        event = self._ctx.events.row(_charged(charge))
        row = {f"charge_{name}": getattr(charge, name) for name in _VALUES}
        if charge.amount == 0:
            await db.guarded(TAKE_NOTHING, **row, **event)
            return charge
        state = await db.guarded(TAKE, **self._ledger.values(movement_of(charge)), **row, **event)
        return None if state is None else msgspec.structs.replace(charge, promotional=state.other_promotional)

    async def _earlier(self, wanted: Charge) -> Charge:
        """Return the charge that the purchase has; with none, *wanted* was not taken for want of money."""
        found = await self.find(wanted.purchase_id)
        if found is None:
            raise await self._insufficient(wanted)
        return _repeated(found, wanted)

    async def _require_funds(self, wanted: Charge) -> None:
        held = await self._ctx.db.first(HELD, user_id=wanted.user_id) or Held()
        if held.balance < wanted.amount:
            raise await self._insufficient(wanted)

    async def _insufficient(self, wanted: Charge) -> InsufficientFunds:
        held = await self._ctx.db.first(HELD, user_id=wanted.user_id)
        detail = "Nothing was ever paid into the wallet." if held is None else f"The wallet holds {held.balance}."
        return InsufficientFunds(
            f"{detail} The price is {wanted.amount} {wanted.currency} (minor units).",
            extensions={"balance": held.balance if held else 0, "price": wanted.amount, "currency": wanted.currency},
        )


def _repeated(found: Charge, wanted: Charge, *, known: bool = True) -> Charge:
    """Return the charge that was *found* if it is the one *wanted*; *known*: there is such a voucher as was named."""
    values = [(one.user_id, one.course_id, one.amount, one.voucher_id) for one in (found, wanted)]
    if values[0] != values[1] or not known:
        raise ChargeConflict(f"The purchase {wanted.purchase_id} was charged with other values.")
    return found


def movement_of(charge: Charge) -> Movement:
    """Return the movement of money that *charge* is; they share their id, so that the chain covers it."""
    return Movement(
        id=charge.id,
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
