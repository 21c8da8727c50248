"""Redemption: a top-up becomes credit in a wallet, in one statement, never more often than it may.

The redemption holds the person's idempotency key and the first answer, so that a repeat is answered alike; that the
request was the same shows in the voucher.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, errors, failpoint, new_id, problems
from kernel.contracts.payments import Redemption, VoucherRedeemed, WalletToppedUp
from kernel.database import Follow, Guarded, Query, Returned, outbox_follow
from plugins.payments.holdings import HELD, Held
from plugins.payments.ledger import (
    CREDIT_AFTER,
    FOLLOWS,
    VOUCHER_FLOAT,
    Ledger,
    Movement,
    WalletState,
    bind,
)
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import MAX_BALANCE, redemptions
from plugins.payments.terms import Voucher
from plugins.payments.uses import ATTEMPTS, PERSON, TAKE_USE
from plugins.payments.vouchers import Vouchers

VOUCHER: Final = "voucher"

REDEEMED: Final = failpoint("payments.redeemed")  # the wallet is credited, nobody has been told

_REDEMPTION: Final = Follow(
    redemptions,
    {
        "id": bindparam("transfer_id", type_=sa.Uuid()),
        "voucher_id": Returned("id"),
        "user_id": PERSON,
        "number": Returned("number"),
        "balance": Returned("balance"),
    }
    | {
        name: bind(f"redemption_{name}", redemptions.c[name])
        for name in ("batch_id", "amount", "request_key", "created_at")
    },
)

#: Takes the use, credits the wallet, writes the movement, the redemption and the events. A wallet that would hold too
#: much is refused by a constraint on the redemption, which undoes everything.
TOP_UP: Final = Guarded(
    CREDIT_AFTER,
    WalletState,
    (*FOLLOWS, _REDEMPTION, outbox_follow("redeemed_"), outbox_follow("topped_up_")),
    first=TAKE_USE,
    first_key=("voucher", "id"),
    key=("transfer_user_id", "user_id"),
)


class Earlier(msgspec.Struct, frozen=True):
    """What a key of a person brought before."""

    voucher_id: UUID
    balance: int


EARLIER: Final = Query(
    sa.select(redemptions.c.voucher_id, redemptions.c.balance).where(
        redemptions.c.user_id == bindparam("user_id"), redemptions.c.request_key == bindparam("key")
    ),
    Earlier,
)


class Redeemed(msgspec.Struct, frozen=True):
    """The answer to a redemption; *replayed*: it had come about before."""

    redemption: Redemption
    replayed: bool


class Redeeming:
    """Turns codes into credit."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._ctx = ctx
        self._ledger = ctx.own(Ledger)
        self._vouchers = ctx.own(Vouchers)

    async def redeem(self, user_id: UUID, typed: str, key: str) -> Redeemed:
        """See `Payments.redeem`."""
        voucher = await self._vouchers.find(typed)
        for _ in range(ATTEMPTS):
            balance = await self._top_up(user_id, voucher, key)
            if voucher is not None and balance is not None:
                return Redeemed(_redemption(voucher, balance), replayed=False)
            # The key is looked for only now: most requests come once, and are spared the query.
            earlier = await self._ctx.db.first(EARLIER, user_id=user_id, key=key)
            if earlier is not None:
                return _again(earlier, voucher)
            await self._refuse(user_id, voucher)
        raise problems.Conflict("Too many requests of yours use this voucher at once; repeat this one in a moment.")

    async def _top_up(self, user_id: UUID, voucher: Voucher | None, key: str) -> int | None:
        """Return what the wallet holds after the redemption, None if there was none, for whatever reason."""
        if voucher is None or voucher.kind != "top-up" or self._vouchers.refusal_now(voucher) is not None:
            return None
        try:
            state = await self._ctx.db.guarded(TOP_UP, **self._values(user_id, voucher, key))
        except (errors.UniqueViolation, errors.ConstraintViolation):
            return None
        if state is None:
            return None
        self._ctx.events.announce()
        await REDEEMED()
        return state.balance

    async def _refuse(self, user_id: UUID, voucher: Voucher | None) -> None:
        """Raise what is in the way of a redemption; return if it was but another request of the person."""
        usable = await self._vouchers.require_usable(user_id, voucher)
        if usable.kind != "top-up":
            raise self._vouchers.needs_course(user_id, usable)
        amount, held = _amount(usable), await self._ctx.db.first(HELD, user_id=user_id) or Held()
        if held.balance + amount > MAX_BALANCE:
            raise problems.Conflict(f"The wallet can not hold {amount} more: its limit is {MAX_BALANCE}.")

    def _values(self, user_id: UUID, voucher: Voucher, key: str) -> dict[str, object]:
        movement = _movement(user_id, voucher, self._ctx.clock.now())
        amount, currency = movement.amount, movement.currency
        redeemed = VoucherRedeemed(
            user_id=user_id, voucher_id=voucher.id, batch_id=voucher.batch_id, amount=amount, currency=currency
        )
        topped_up = WalletToppedUp(
            user_id=user_id, amount=amount, currency=currency, source=VOUCHER, credit=voucher.credit or "refundable"
        )
        return {
            **self._ledger.values(movement),
            "voucher": voucher.id,
            "most_by_person": voucher.max_uses_per_person,
            "redemption_batch_id": voucher.batch_id,
            "redemption_amount": amount,
            "redemption_request_key": key,
            "redemption_created_at": movement.created_at,
            **self._ctx.events.row(redeemed, "redeemed_"),
            **self._ctx.events.row(topped_up, "topped_up_"),
        }


def _movement(user_id: UUID, voucher: Voucher, now: datetime) -> Movement:
    id_, amount = new_id(), _amount(voucher)
    return Movement(
        id=id_,
        key=f"{VOUCHER}:{id_}",
        kind=VOUCHER,
        user_id=user_id,
        account=VOUCHER_FLOAT,
        amount=amount,
        promotional=amount if voucher.credit == "promotional" else 0,
        currency=voucher.currency,
        course_id=None,
        reference=voucher.id,
        reason="",
        created_at=now,
    )


def _again(earlier: Earlier, voucher: Voucher | None) -> Redeemed:
    if voucher is None or voucher.id != earlier.voucher_id:
        raise problems.IdempotencyKeyReused("Choose a new key for another code.")
    return Redeemed(_redemption(voucher, earlier.balance), replayed=True)


def _redemption(voucher: Voucher, balance: int) -> Redemption:
    return Redemption(
        voucher_id=voucher.id,
        batch_id=voucher.batch_id,
        amount=_amount(voucher),
        currency=voucher.currency,
        credit=voucher.credit or "refundable",
        balance=balance,
    )


def _amount(voucher: Voucher) -> int:
    assert voucher.amount is not None  # noqa: S101  # the database holds no top-up without
    return voucher.amount
