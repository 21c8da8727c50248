"""What people collected by vouchers; nothing ever takes from it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Event, Page, PageQuery, new_id, page
from kernel.contracts.payments import Redemption, VoucherRedeemed, VoucherRefused, WalletToppedUp
from kernel.contracts.payments_http import StatementLine, Wallet
from kernel.database import Command, Query, Session, Timestamp
from lyceum_freepay.codes import hash_code
from lyceum_freepay.settings import FreePaySettings
from lyceum_freepay.tables import batches, redemptions, vouchers

_LAST_ID: Final = UUID(int=2**128 - 1)


class Voucher(msgspec.Struct, frozen=True):
    """What a code stands for."""

    id: UUID
    batch_id: UUID
    amount: int
    max_uses: int
    valid_from: datetime | None
    valid_until: datetime | None


VOUCHER: Final = Query(
    sa.select(
        vouchers.c.id,
        vouchers.c.batch_id,
        *(batches.c[name] for name in ("amount", "max_uses", "valid_from", "valid_until")),
    )
    .join(batches, batches.c.id == vouchers.c.batch_id)
    .where(vouchers.c.code_hash == bindparam("code_hash")),
    Voucher,
)
#: Affects no row if the person has redeemed the voucher before.
ADD: Final = Command(
    insert(redemptions)
    .values({name: bindparam(name) for name in ("id", "user_id", "voucher_id", "batch_id", "amount")})
    .values(created_at=bindparam("now", type_=Timestamp()))
    .on_conflict_do_nothing(index_elements=["user_id", "voucher_id"])
)
#: Affects no row if the voucher is used up; the condition holds for the row as it is when it is changed.
USE: Final = Command(
    sa.update(vouchers)
    .where(vouchers.c.id == bindparam("voucher"), vouchers.c.uses < bindparam("most"))
    .values(uses=vouchers.c.uses + 1)
)
_BIG: Final = sa.BigInteger()
BALANCE: Final = Query(
    sa.select(sa.cast(sa.func.coalesce(sa.func.sum(redemptions.c.amount), 0), _BIG).label("balance")).where(
        redemptions.c.user_id == bindparam("user_id")
    ),
    int,
)


class Line(msgspec.Struct, frozen=True):
    """A redemption and what its person had after it."""

    id: UUID
    voucher_id: UUID
    amount: int
    created_at: datetime
    balance: int


_AFTER_IT: Final = sa.cast(sa.func.sum(redemptions.c.amount).over(order_by=redemptions.c.id), _BIG).label("balance")
_LINES: Final = (
    sa.select(*(redemptions.c[name] for name in Line.__struct_fields__[:-1]), _AFTER_IT)
    .where(redemptions.c.user_id == bindparam("user_id"))
    .subquery()
)
LINES: Final = Query(
    sa.select(_LINES)
    .where(_LINES.c.id < bindparam("before"))
    .order_by(_LINES.c.id.desc())
    .limit(bindparam("limit", type_=sa.Integer())),
    Line,
)


class Wallets:
    """Adds what vouchers bring."""

    def __init__(self, ctx: Context[FreePaySettings]) -> None:
        self._ctx = ctx

    async def wallet(self, user_id: UUID) -> Wallet:
        return Wallet(balance=await self._ctx.db.one(BALANCE, user_id=user_id), currency=self._ctx.deployment.currency)

    async def statement(self, user_id: UUID, query: PageQuery) -> Page[StatementLine]:
        before = query.after(UUID) or _LAST_ID
        rows = await self._ctx.db.all(LINES, user_id=user_id, before=before, limit=query.limit + 1)
        return page([self._line(row) for row in rows], query, lambda line: line.id)

    async def redeem(self, session: Session, user_id: UUID, typed: str) -> Redemption:
        """Redeem the voucher whose code was *typed*, or raise `VoucherRefused` with the reason."""
        now = self._ctx.clock.now()
        voucher = await session.first(VOUCHER, code_hash=hash_code(self._ctx.secrets, typed))
        if voucher is None:
            raise _refused("unknown")
        _check_time(voucher, now)
        await _take_use(session, user_id, voucher, now)
        currency = self._ctx.deployment.currency
        for event in _events(user_id, voucher, currency):
            await self._ctx.events.publish(session, event)
        return Redemption(
            voucher_id=voucher.id,
            batch_id=voucher.batch_id,
            amount=voucher.amount,
            currency=currency,
            balance=await session.one(BALANCE, user_id=user_id),
        )

    def _line(self, row: Line) -> StatementLine:
        return StatementLine(
            id=row.id,
            kind="voucher",
            label="Voucher redeemed",
            amount=row.amount,
            balance=row.balance,
            currency=self._ctx.deployment.currency,
            reference=row.voucher_id,
            course_id=None,
            reason="",
            created_at=row.created_at,
        )


def _check_time(voucher: Voucher, now: datetime) -> None:
    if voucher.valid_from is not None and now < voucher.valid_from:
        raise _refused("not-yet-valid")
    if voucher.valid_until is not None and now >= voucher.valid_until:
        raise _refused("expired")


async def _take_use(session: Session, user_id: UUID, voucher: Voucher, now: datetime) -> None:
    values = {"voucher_id": voucher.id, "batch_id": voucher.batch_id, "amount": voucher.amount}
    if not await session.run(ADD, id=new_id(), user_id=user_id, now=now, **values):
        raise _refused("already-redeemed")
    if not await session.run(USE, voucher=voucher.id, most=voucher.max_uses):
        raise _refused("used-up")


def _refused(reason: str) -> VoucherRefused:
    return VoucherRefused(extensions={"reason": reason})


def _events(user_id: UUID, voucher: Voucher, currency: str) -> tuple[Event, ...]:
    redeemed = VoucherRedeemed(
        user_id=user_id, voucher_id=voucher.id, batch_id=voucher.batch_id, amount=voucher.amount, currency=currency
    )
    return redeemed, WalletToppedUp(user_id=user_id, amount=voucher.amount, currency=currency, source="voucher")
