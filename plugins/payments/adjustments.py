"""Adjustments: credit that administrators put into wallets, or take out of them, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from kernel import Context, Request, new_id
from kernel.contracts.audit import ActRecorded, act
from kernel.contracts.payments import MAX_AMOUNT, Credit, InsufficientFunds, WalletAdjusted
from kernel.contracts.payments_http import Wallet
from kernel.database import Command, Session
from plugins.payments.holdings import HELD, Held
from plugins.payments.ledger import ADJUSTMENTS, Ledger, Movement, bind
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import adjustments

ADJUSTMENT: Final = "adjustment"


class NewAdjustment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credit to put into a wallet (*amount* > 0) or to take out of it (*amount* < 0)."""

    amount: Annotated[int, msgspec.Meta(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
    credit: Credit
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]

    def __post_init__(self) -> None:
        if self.amount == 0:
            raise ValueError("'amount' must be above 0 to give or below 0 to take")


class Adjustment(NewAdjustment, frozen=True, kw_only=True):
    """What an administrator changed of a wallet."""

    id: UUID
    user_id: UUID
    currency: str
    adjusted_by: UUID
    created_at: datetime


class Adjusted(msgspec.Struct, frozen=True, kw_only=True):
    """An adjustment, and what the wallet holds after it."""

    adjustment: Adjustment
    wallet: Wallet


ADD_ADJUSTMENT: Final = Command(
    sa.insert(adjustments).values({column.name: bind(column.name, column) for column in adjustments.c})
)


class Adjustments:
    """Changes wallets by hand."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._ctx = ctx
        self._ledger = ctx.own(Ledger)

    async def adjust(self, session: Session, request: Request, user_id: UUID, new: NewAdjustment) -> Adjusted:
        """Change the wallet as *request* asks; publish that it was changed, and by whom.

        Raises:
            InsufficientFunds: the wallet holds less of that credit than is to be taken; nothing was moved.
            problems.Conflict: the wallet would hold more than can be counted; nothing was moved.
        """
        adjustment = Adjustment(
            **msgspec.structs.asdict(new),
            id=new_id(),
            user_id=user_id,
            currency=self._ctx.deployment.currency,
            adjusted_by=request.principal.actor or request.principal.id,
            created_at=self._ctx.clock.now(),
        )
        held = await self._move(session, adjustment)
        await session.run(ADD_ADJUSTMENT, **msgspec.structs.asdict(adjustment))
        await self._ctx.events.publish(session, _adjusted(adjustment))
        await self._ctx.events.publish(session, _act(request, adjustment, held))
        return Adjusted(adjustment=adjustment, wallet=held.shown(adjustment.currency))

    async def _move(self, session: Session, adjustment: Adjustment) -> Held:
        movement = movement_of(adjustment)
        give = self._ledger.credit if adjustment.amount > 0 else self._ledger.withdraw
        state = await give(session, movement)
        if state is None:
            raise await self._insufficient(session, adjustment)
        return Held(state.balance, state.promotional)

    async def _insufficient(self, session: Session, adjustment: Adjustment) -> InsufficientFunds:
        held = await session.first(HELD, user_id=adjustment.user_id) or Held()
        has = held.promotional if adjustment.credit == "promotional" else held.refundable
        return InsufficientFunds(
            f"The wallet holds {has} of {adjustment.credit} credit; take that much or less.",
            extensions={"credit": adjustment.credit, "held": has},
        )


def key_of(adjustment_id: UUID, adjusted_by: UUID) -> str:
    """Return the key of the movement; it holds what else the chain would not cover."""
    return f"adjustment:{adjustment_id}:{adjusted_by}"


def movement_of(adjustment: Adjustment) -> Movement:
    """Return the movement of money that *adjustment* is."""
    return Movement(
        id=adjustment.id,
        key=key_of(adjustment.id, adjustment.adjusted_by),
        kind=ADJUSTMENT,
        user_id=adjustment.user_id,
        account=ADJUSTMENTS,
        amount=adjustment.amount,
        promotional=_promotional(adjustment),
        currency=adjustment.currency,
        course_id=None,
        reference=adjustment.id,
        reason=adjustment.reason,
        created_at=adjustment.created_at,
    )


def _promotional(adjustment: Adjustment) -> int:
    return adjustment.amount if adjustment.credit == "promotional" else 0


def _adjusted(adjustment: Adjustment) -> WalletAdjusted:
    return WalletAdjusted(
        user_id=adjustment.user_id,
        amount=adjustment.amount,
        currency=adjustment.currency,
        credit=adjustment.credit,
        reason=adjustment.reason,
        adjusted_by=adjustment.adjusted_by,
    )


def _act(request: Request, adjustment: Adjustment, held: Held) -> ActRecorded:
    balance, promotional = held.balance, held.promotional
    return act(
        request,
        "payments.adjust_wallet",
        f"account:{adjustment.user_id}",
        before={"balance": balance - adjustment.amount, "promotional": promotional - _promotional(adjustment)},
        after={"balance": balance, "promotional": promotional},
        reason=adjustment.reason,
    )
