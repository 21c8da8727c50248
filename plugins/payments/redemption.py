"""Redemption: a voucher becomes money in a wallet, never more often than it may."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Event, new_id
from kernel.contracts.payments import Redemption, VoucherRedeemed, VoucherRefused, WalletToppedUp
from kernel.database import Command, Query, Session, Timestamp
from plugins.payments.codes import Codes
from plugins.payments.ledger import VOUCHER_FLOAT, Ledger, Movement
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import redemptions, voucher_batches, vouchers

VOUCHER: Final = "voucher"


class Voucher(msgspec.Struct, frozen=True):
    """What decides whether a voucher counts now."""

    id: UUID
    batch_id: UUID
    amount: int
    currency: str
    valid_from: datetime | None
    valid_until: datetime | None
    withdrawn: bool


VOUCHER_OF_CODE: Final = Query(
    sa.select(
        vouchers.c.id,
        vouchers.c.batch_id,
        voucher_batches.c.amount,
        voucher_batches.c.currency,
        voucher_batches.c.valid_from,
        voucher_batches.c.valid_until,
        vouchers.c.withdrawn,
    )
    .join(voucher_batches, voucher_batches.c.id == vouchers.c.batch_id)
    .where(vouchers.c.code_hash == bindparam("code_hash")),
    Voucher,
)

#: Affects no row if the person has redeemed the voucher before.
ADD_REDEMPTION: Final = Command(
    insert(redemptions)
    .values({name: bindparam(name) for name in ("voucher_id", "user_id", "batch_id")})
    .values(created_at=bindparam("now", type_=Timestamp()))
    .on_conflict_do_nothing(index_elements=["voucher_id", "user_id"])
)

#: Takes one use, exactly as often as there are uses; the conditions hold for the row as it is when it is changed.
TAKE_USE: Final = Command(
    sa.update(vouchers)
    .where(
        vouchers.c.id == bindparam("voucher"), vouchers.c.uses < vouchers.c.max_uses, vouchers.c.withdrawn.is_(False)
    )
    .values(uses=vouchers.c.uses + 1)
)
WITHDRAWN: Final = Query(sa.select(vouchers.c.withdrawn).where(vouchers.c.id == bindparam("voucher")), bool)


class Redeeming:
    """Turns codes into money."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._ctx = ctx
        self._codes = Codes(ctx.secrets)
        self._ledger = ctx.own(Ledger)

    async def redeem(self, session: Session, user_id: UUID, typed: str) -> Redemption:
        """Redeem the voucher whose code was *typed*, or raise `VoucherRefused` with the reason."""
        try:
            return await self._redeem(session, user_id, typed)
        except VoucherRefused as refusal:
            reason = refusal.extensions["reason"]
            self._ctx.log.info("voucher refused", action="voucher_refused", user_id=str(user_id), reason=reason)
            raise

    async def _redeem(self, session: Session, user_id: UUID, typed: str) -> Redemption:
        now = self._ctx.clock.now()
        voucher = await self._find(session, typed)
        if reason := refusal_at(voucher, now, self._ctx.deployment.currency):
            raise _refused(reason)
        if not await session.run(
            ADD_REDEMPTION, voucher_id=voucher.id, user_id=user_id, batch_id=voucher.batch_id, now=now
        ):
            raise _refused("already-redeemed")
        if not await session.run(TAKE_USE, voucher=voucher.id):
            raise _refused("withdrawn" if await session.one(WITHDRAWN, voucher=voucher.id) else "used-up")
        return await self._pay_in(session, user_id, voucher, now)

    async def _find(self, session: Session, typed: str) -> Voucher:
        if (code_hash := self._codes.hash(typed)) is not None:
            found = await session.first(VOUCHER_OF_CODE, code_hash=code_hash)
            if found is not None:
                return found
        raise _refused("unknown")

    async def _pay_in(self, session: Session, user_id: UUID, voucher: Voucher, now: datetime) -> Redemption:
        movement = Movement(
            id=new_id(),
            key=f"voucher:{voucher.id}:{user_id}",
            kind=VOUCHER,
            user_id=user_id,
            account=VOUCHER_FLOAT,
            amount=voucher.amount,
            promotional=0,
            currency=voucher.currency,
            course_id=None,
            reference=voucher.id,
            reason="",
            created_at=now,
        )
        state = await self._ledger.credit(session, movement)
        for event in _events(user_id, voucher):
            await self._ctx.events.publish(session, event)
        return Redemption(
            voucher_id=voucher.id,
            batch_id=voucher.batch_id,
            amount=voucher.amount,
            currency=voucher.currency,
            credit="refundable",
            balance=state.balance,
        )


def _events(user_id: UUID, voucher: Voucher) -> tuple[Event, ...]:
    amount, currency = voucher.amount, voucher.currency
    redeemed = VoucherRedeemed(
        user_id=user_id, voucher_id=voucher.id, batch_id=voucher.batch_id, amount=amount, currency=currency
    )
    return redeemed, WalletToppedUp(user_id=user_id, amount=amount, currency=currency, source=VOUCHER)


def refusal_at(voucher: Voucher, now: datetime, currency: str) -> str | None:
    """Return why *voucher* does not count at the moment *now* for a wallet in *currency*, None if it does."""
    if voucher.withdrawn:
        return "withdrawn"
    if voucher.valid_from is not None and now < voucher.valid_from:
        return "not-yet-valid"
    if voucher.valid_until is not None and now >= voucher.valid_until:
        return "expired"
    if voucher.currency != currency:
        return "other-currency"
    return None


def _refused(reason: str) -> VoucherRefused:
    return VoucherRefused(_SENTENCES[reason], extensions={"reason": reason})


_SENTENCES: Final = {
    "unknown": "There is no voucher with this code; compare it with what you were given.",
    "withdrawn": "The voucher was withdrawn.",
    "not-yet-valid": "The voucher does not count yet.",
    "expired": "The voucher does not count any more.",
    "other-currency": "The voucher is in another currency than wallets are.",
    "already-redeemed": "You have redeemed this voucher.",
    "used-up": "The voucher was used as often as it can be.",
}
