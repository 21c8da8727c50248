"""Vouchers as people hold them: found by their code, usable or not for a reason, used no more often than they may."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context
from kernel.contracts.payments import (
    Credit,
    VoucherKind,
    VoucherOffer,
    VoucherRedeemed,
    VoucherRefused,
    VoucherReturned,
)
from kernel.database import Command, Database, Query, Session
from lyceum_freepay.codes import hash_code
from lyceum_freepay.settings import FreePaySettings
from lyceum_freepay.tables import batches, uses, vouchers


class Voucher(msgspec.Struct, frozen=True):
    """What a code stands for."""

    id: UUID
    batch_id: UUID
    uses: int
    kind: VoucherKind
    amount: int | None
    percent: int | None
    price: int | None
    course_ids: tuple[UUID, ...]
    credit: Credit | None
    currency: str
    max_uses: int
    max_uses_per_person: int
    valid_from: datetime | None
    valid_until: datetime | None
    withdrawn_at: datetime | None

    def refusal_at(self, now: datetime) -> str | None:
        """Return why it does not count at the moment *now*, None if it does."""
        if self.withdrawn_at is not None:
            return "withdrawn"
        if self.valid_from is not None and now < self.valid_from:
            return "not-yet-valid"
        return "expired" if self.valid_until is not None and now >= self.valid_until else None

    def offer(self) -> VoucherOffer:
        """Return what it would do, if things cost anything."""
        return VoucherOffer(
            voucher_id=self.id,
            kind=self.kind,
            course_ids=self.course_ids,
            amount=self.amount,
            percent=self.percent,
            price=0 if self.kind == "enrol" else self.price,
            currency=self.currency,
            credit=self.credit,
            valid_until=self.valid_until,
        )


_OF_VOUCHER: Final = ("id", "batch_id", "uses")
_COLUMNS: Final = [(vouchers if name in _OF_VOUCHER else batches).c[name] for name in Voucher.__struct_fields__]
_VOUCHERS: Final = sa.select(*_COLUMNS).join_from(vouchers, batches, batches.c.id == vouchers.c.batch_id)
OF_CODE: Final = Query(_VOUCHERS.where(vouchers.c.code_hash == bindparam("code_hash")), Voucher)
BY_ID: Final = Query(_VOUCHERS.where(vouchers.c.id == bindparam("voucher_id")), Voucher)

_BY_PERSON: Final = sa.and_(uses.c.voucher_id == bindparam("voucher"), uses.c.user_id == bindparam("user"))
USES_BY_PERSON: Final = Query(sa.select(uses.c.uses).where(_BY_PERSON), int)
#: These two affect no row if there is no use left; the condition holds for the row as it is when it is changed.
USE_BY_PERSON: Final = Command(
    insert(uses)
    .values(voucher_id=bindparam("voucher"), user_id=bindparam("user"), uses=1)
    .on_conflict_do_update(
        index_elements=["voucher_id", "user_id"],
        set_={"uses": uses.c.uses + 1},
        where=uses.c.uses < bindparam("most", type_=sa.Integer()),
    )
)
USE: Final = Command(
    sa.update(vouchers)
    .where(vouchers.c.id == bindparam("voucher"), vouchers.c.uses < bindparam("most", type_=sa.Integer()))
    .values(uses=vouchers.c.uses + 1)
)
UNUSE_BY_PERSON: Final = Command(sa.update(uses).where(_BY_PERSON).values(uses=uses.c.uses - 1))
UNUSE: Final = Command(
    sa.update(vouchers).where(vouchers.c.id == bindparam("voucher")).values(uses=vouchers.c.uses - 1)
)


class Vouchers:
    """Finds vouchers, takes their uses and gives them back. Everybody changes the person's count before the whole."""

    def __init__(self, ctx: Context[FreePaySettings]) -> None:
        self._ctx = ctx

    async def find(self, db: Database | Session, typed: str) -> Voucher:
        """Return the voucher whose code was *typed*, usable or not."""
        found = await db.first(OF_CODE, code_hash=hash_code(self._ctx.secrets, typed))
        if found is None:
            raise refused("unknown")
        return found

    async def require_usable(
        self, db: Database | Session, voucher: Voucher, user_id: UUID, course_id: UUID | None = None
    ) -> None:
        """Raise `VoucherRefused` if the person can not use *voucher* now, or not for the course."""
        if reason := voucher.refusal_at(self._ctx.clock.now()):
            raise refused(reason)
        by_person = await db.first(USES_BY_PERSON, voucher=voucher.id, user=user_id)
        if (by_person or 0) >= voucher.max_uses_per_person:
            raise refused("already-redeemed")
        if voucher.uses >= voucher.max_uses:
            raise refused("used-up")
        if course_id is not None and voucher.course_ids and course_id not in voucher.course_ids:
            raise refused("other-course")

    async def use(
        self, session: Session, voucher: Voucher, user_id: UUID, amount: int, purchase_id: UUID | None
    ) -> None:
        """Take a use of *voucher*, which brought or took off *amount*, and tell of it.

        Raises:
            VoucherRefused: there is none left.
        """
        who = {"voucher": voucher.id, "user": user_id}
        if not await session.run(USE_BY_PERSON, **who, most=voucher.max_uses_per_person):
            raise refused("already-redeemed")
        if not await session.run(USE, voucher=voucher.id, most=voucher.max_uses):
            raise refused("used-up")
        event = VoucherRedeemed(
            user_id=user_id,
            voucher_id=voucher.id,
            batch_id=voucher.batch_id,
            amount=amount,
            currency=voucher.currency,
            kind=voucher.kind,
            purchase_id=purchase_id,
        )
        await self._ctx.events.publish(session, event)

    async def give_back(self, session: Session, voucher_id: UUID, user_id: UUID, purchase_id: UUID) -> None:
        """Give the use back that the purchase was made with, and tell of it."""
        voucher = await session.one(BY_ID, voucher_id=voucher_id)
        await session.run(UNUSE_BY_PERSON, voucher=voucher_id, user=user_id)
        await session.run(UNUSE, voucher=voucher_id)
        event = VoucherReturned(
            user_id=user_id, voucher_id=voucher_id, batch_id=voucher.batch_id, purchase_id=purchase_id
        )
        await self._ctx.events.publish(session, event)


def refused(reason: str, **members: object) -> VoucherRefused:
    """Return the refusal for *reason*, one of `REFUSAL_REASONS`."""
    return VoucherRefused(extensions={"reason": reason, **members})
