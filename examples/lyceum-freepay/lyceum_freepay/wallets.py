"""What people collected by top-ups; nothing ever takes from it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Page, PageQuery, new_id, page, problems
from kernel.contracts.payments import Credit, Redemption, WalletToppedUp
from kernel.contracts.payments_http import StatementLine, Wallet
from kernel.database import Query, Session, Timestamp
from lyceum_freepay.settings import FreePaySettings
from lyceum_freepay.tables import redemptions
from lyceum_freepay.vouchers import Voucher, Vouchers, refused

_LAST_ID: Final = UUID(int=2**128 - 1)
_BIG: Final = sa.BigInteger()
_USER: Final = bindparam("user_id", type_=sa.Uuid())

#: Returns nothing if the person has used the key before.
ADD: Final = Query(
    insert(redemptions)
    .values(
        {name: bindparam(name) for name in ("id", "user_id", "voucher_id", "batch_id", "amount", "credit")}
        | {"request_key": bindparam("key"), "created_at": bindparam("now", type_=Timestamp())}
    )
    .on_conflict_do_nothing(index_elements=["user_id", "request_key"])
    .returning(redemptions.c.id),
    UUID,
)


class Credits(msgspec.Struct, frozen=True):
    """What a person has."""

    balance: int
    promotional: int


def _sum(amount: sa.ColumnElement[int], name: str) -> sa.Label[int]:
    return sa.cast(sa.func.coalesce(sa.func.sum(amount), 0), _BIG).label(name)


_PROMOTIONAL: Final = sa.case((redemptions.c.credit == "promotional", redemptions.c.amount), else_=0)
CREDITS: Final = Query(
    sa.select(_sum(redemptions.c.amount, "balance"), _sum(_PROMOTIONAL, "promotional")).where(
        redemptions.c.user_id == _USER
    ),
    Credits,
)


class Line(msgspec.Struct, frozen=True):
    """A redemption and what its person had after it."""

    id: UUID
    voucher_id: UUID
    batch_id: UUID
    amount: int
    credit: Credit
    created_at: datetime
    balance: int


_AFTER_IT: Final = sa.cast(sa.func.sum(redemptions.c.amount).over(order_by=redemptions.c.id), _BIG).label("balance")
_LINES: Final = (
    sa.select(*(redemptions.c[name] for name in Line.__struct_fields__[:-1]), redemptions.c.request_key, _AFTER_IT)
    .where(redemptions.c.user_id == _USER)
    .subquery()
)
_LINE: Final = sa.select(*(_LINES.c[name] for name in Line.__struct_fields__))
_NEWEST: Final = _LINE.order_by(_LINES.c.id.desc())
ALL_LINES: Final = Query(_NEWEST, Line)
LINES: Final = Query(
    _NEWEST.where(_LINES.c.id < bindparam("before")).limit(bindparam("limit", type_=sa.Integer())), Line
)
LINE_OF_KEY: Final = Query(_LINE.where(_LINES.c.request_key == bindparam("key")), Line)


class Wallets:
    """Adds what top-ups bring."""

    def __init__(self, ctx: Context[FreePaySettings]) -> None:
        self._ctx = ctx
        self._vouchers = ctx.own(Vouchers)

    async def wallet(self, user_id: UUID) -> Wallet:
        held = await self._ctx.db.one(CREDITS, user_id=user_id)
        return Wallet(
            balance=held.balance,
            currency=self._ctx.deployment.currency,
            refundable=held.balance - held.promotional,
            promotional=held.promotional,
        )

    async def statement(self, user_id: UUID, query: PageQuery) -> Page[StatementLine]:
        before = query.after(UUID) or _LAST_ID
        rows = await self._ctx.db.all(LINES, user_id=user_id, before=before, limit=query.limit + 1)
        return page([self._line(row) for row in rows], query, lambda line: line.id)

    async def whole_statement(self, user_id: UUID) -> list[StatementLine]:
        return [self._line(row) for row in await self._ctx.db.all(ALL_LINES, user_id=user_id)]

    async def redeem(self, user_id: UUID, typed: str, key: str) -> Redemption:
        """See `kernel.contracts.payments.Payments.redeem`."""
        async with self._ctx.db.transaction() as session:
            voucher = await self._vouchers.find(session, typed)
            if await self._add(session, user_id, voucher, key):
                await self._vouchers.require_usable(session, voucher, user_id)
                await self._bring(session, user_id, voucher)
            line = await session.one(LINE_OF_KEY, user_id=user_id, key=key)
        if line.voucher_id != voucher.id:
            raise problems.IdempotencyKeyReused("Choose a new key for another code.")
        return Redemption(
            voucher_id=line.voucher_id,
            batch_id=line.batch_id,
            amount=line.amount,
            currency=self._ctx.deployment.currency,
            credit=line.credit,
            balance=line.balance,
        )

    async def _add(self, session: Session, user_id: UUID, voucher: Voucher, key: str) -> bool:
        """Write the redemption down before it is known to be possible; return False if there is one with the key."""
        added = await session.first(
            ADD,
            id=new_id(),
            user_id=user_id,
            voucher_id=voucher.id,
            batch_id=voucher.batch_id,
            amount=voucher.amount or 0,
            credit=voucher.credit or "refundable",
            key=key,
            now=self._ctx.clock.now(),
        )
        return added is not None

    async def _bring(self, session: Session, user_id: UUID, voucher: Voucher) -> None:
        if voucher.kind != "top-up" or voucher.amount is None or voucher.credit is None:
            courses = [str(course_id) for course_id in voucher.course_ids]
            raise refused("needs-course", kind=voucher.kind, course_ids=courses)
        await self._vouchers.use(session, voucher, user_id, voucher.amount, None)
        event = WalletToppedUp(
            user_id=user_id,
            amount=voucher.amount,
            currency=voucher.currency,
            source="voucher",
            credit=voucher.credit,
        )
        await self._ctx.events.publish(session, event)

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
            promotional=row.amount if row.credit == "promotional" else 0,
        )
