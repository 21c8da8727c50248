"""The use of a voucher for a purchase: taken in the transaction of the charge, given back in that of its refund.

Whatever takes money and uses, locks the voucher before the wallet; so nobody waits in a circle.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, new_id
from kernel.contracts.payments import Charge, VoucherRedeemed, VoucherReturned
from kernel.database import Follow, Guarded, Query, Returned, Session, outbox_follow
from plugins.payments.ledger import bind
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import redemptions, voucher_returns, vouchers
from plugins.payments.terms import Voucher
from plugins.payments.uses import PERSON, TAKE_USE, Use

_OF_CALLER: Final = ("id", "batch_id", "purchase_id", "amount", "created_at")
#: Takes a use and writes it down with its event; touches nothing if there is none left.
USE: Final = Guarded(
    TAKE_USE.statement,
    Use,
    (
        Follow(
            redemptions,
            {name: bind(f"use_{name}", redemptions.c[name]) for name in _OF_CALLER}
            | {"voucher_id": Returned("id"), "user_id": PERSON, "number": Returned("number")},
        ),
        outbox_follow("redeemed_"),
    ),
)

LOCK_VOUCHER: Final = Query(
    sa.select(vouchers.c.id).where(vouchers.c.id == bindparam("voucher_id")).with_for_update(), UUID
)


class UseOfPurchase(msgspec.Struct, frozen=True):
    """The use that a purchase was made with."""

    id: UUID
    voucher_id: UUID
    batch_id: UUID
    user_id: UUID


USE_OF_PURCHASE: Final = Query(
    sa.select(*(redemptions.c[name] for name in UseOfPurchase.__struct_fields__)).where(
        redemptions.c.purchase_id == bindparam("purchase_id")
    ),
    UseOfPurchase,
)
#: Counts a use less and writes down that it was given back, which the key of the return allows once.
RETURN_USE: Final = Guarded(
    sa.update(vouchers)
    .where(vouchers.c.id == bindparam("voucher"), vouchers.c.uses > 0)
    .values(uses=vouchers.c.uses - 1)
    .returning(vouchers.c.id),
    UUID,
    (
        Follow(
            voucher_returns,
            {
                "redemption_id": bind("redemption_id", voucher_returns.c.redemption_id),
                "created_at": bind("returned_at", voucher_returns.c.created_at),
            },
        ),
        outbox_follow(),
    ),
)


class NothingTaken(Exception):
    """Rolls a transaction back in which the use of a voucher or the money was not there."""


class VoucherUses:
    """Takes and returns uses in transactions that others began."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._ctx = ctx

    async def take(self, session: Session, voucher: Voucher, charge: Charge, taken_off: int) -> None:
        """Use *voucher*, which took *taken_off*, for *charge*.

        Raises:
            NothingTaken: it has no use left for the person.
            errors.UniqueViolation: another request of the person was faster.
        """
        redeemed = VoucherRedeemed(
            user_id=charge.user_id,
            voucher_id=voucher.id,
            batch_id=voucher.batch_id,
            amount=taken_off,
            currency=voucher.currency,
            kind=voucher.kind,
            purchase_id=charge.purchase_id,
        )
        use = await session.guarded(
            USE,
            voucher=voucher.id,
            transfer_user_id=charge.user_id,
            most_by_person=voucher.max_uses_per_person,
            use_id=new_id(),
            use_batch_id=voucher.batch_id,
            use_purchase_id=charge.purchase_id,
            use_amount=taken_off,
            use_created_at=charge.created_at,
            **self._ctx.events.row(redeemed, "redeemed_"),
        )
        if use is None:
            raise NothingTaken

    async def lock(self, session: Session, charge: Charge) -> None:
        """Let nobody else use the voucher of *charge*, if it has one, before this transaction ends."""
        if charge.voucher_id is not None:
            await session.first(LOCK_VOUCHER, voucher_id=charge.voucher_id)

    async def give_back(self, session: Session, charge: Charge, now: datetime) -> None:
        """Return the use that *charge* was made with, if it was made with one."""
        use = await session.first(USE_OF_PURCHASE, purchase_id=charge.purchase_id)
        if use is None:
            return
        returned = VoucherReturned(
            user_id=use.user_id, voucher_id=use.voucher_id, batch_id=use.batch_id, purchase_id=charge.purchase_id
        )
        await session.guarded(
            RETURN_USE, voucher=use.voucher_id, redemption_id=use.id, returned_at=now, **self._ctx.events.row(returned)
        )
