"""Batches of vouchers, as administrators make, list and withdraw them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Page, PageQuery, new_id, page, problems
from kernel.contracts.payments import VoucherBatchCreated
from kernel.contracts.payments_http import NewVoucherBatch, VoucherBatch, VoucherCodes
from kernel.database import Command, Query, Session, Timestamp
from plugins.payments.codes import Codes
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import redemptions, voucher_batches, vouchers

#: How long a repeat of the request that made a batch is shown the codes again: its answer may have been lost.
CODES_AGAIN_FOR: Final = timedelta(hours=24)

_LAST_ID: Final = UUID(int=2**128 - 1)
_ROWS_AT_ONCE: Final = 500  # so that a large batch does not keep the process from serving others

_REDEEMED: Final = (
    sa.select(sa.func.count()).where(redemptions.c.batch_id == voucher_batches.c.id).scalar_subquery().label("redeemed")
)
#: What all batches have alike.
_ALIKE: Final[dict[str, sa.ColumnElement[Any]]] = {
    "kind": sa.literal("top-up", sa.Text()),
    "percent": sa.null(),
    "price": sa.null(),
    "course_ids": sa.literal([], sa.JSON()),
    "credit": sa.literal("refundable", sa.Text()),
    "max_uses_per_person": sa.literal(1, sa.Integer()),
}
_SHOWN: Final = tuple(
    _REDEEMED if name == "redeemed" else _ALIKE[name].label(name) if name in _ALIKE else voucher_batches.c[name]
    for name in VoucherBatch.__struct_fields__
)
_TAG: Final = bindparam("tag", type_=sa.Text())
BATCH: Final = Query(sa.select(*_SHOWN).where(voucher_batches.c.id == bindparam("batch_id")), VoucherBatch)
BATCHES: Final = Query(
    sa.select(*_SHOWN)
    .where(voucher_batches.c.id < bindparam("before"), sa.or_(_TAG.is_(None), voucher_batches.c.tag == _TAG))
    .order_by(voucher_batches.c.id.desc())
    .limit(bindparam("limit", type_=sa.Integer())),
    VoucherBatch,
)


class Made(msgspec.Struct, frozen=True):
    """The batch that an earlier request with the same key made."""

    id: UUID
    request_hash: bytes


MADE: Final = Query(
    sa.select(voucher_batches.c.id, voucher_batches.c.request_hash).where(
        voucher_batches.c.created_by == bindparam("maker"), voucher_batches.c.request_key == bindparam("key")
    ),
    Made,
)
#: Returns nothing if the request was there before.
ADD_BATCH: Final = Query(
    insert(voucher_batches)
    .values({column.name: bindparam(column.name) for column in voucher_batches.c if column.name != "withdrawn_at"})
    .on_conflict_do_nothing(index_elements=["created_by", "request_key"])
    .returning(voucher_batches.c.id),
    UUID,
)
ADD_VOUCHER: Final = Command(
    sa.insert(vouchers)
    .values({name: bindparam(name) for name in ("id", "batch_id", "number", "code_hash", "max_uses")})
    .values(uses=0, withdrawn=False)
)

WITHDRAW_BATCH: Final = Command(
    sa.update(voucher_batches)
    .where(voucher_batches.c.id == bindparam("batch"), voucher_batches.c.withdrawn_at.is_(None))
    .values(withdrawn_at=bindparam("now", type_=Timestamp()))
)
#: Marks the vouchers themselves: a redemption under way comes before or after this, never half.
WITHDRAW_VOUCHERS: Final = Command(
    sa.update(vouchers).where(vouchers.c.batch_id == bindparam("batch")).values(withdrawn=True)
)


class BatchQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which batches to list."""

    tag: str | None = None  #: only those with exactly this tag


class Batches:
    """Makes, lists and withdraws batches."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._ctx = ctx
        self._codes = Codes(ctx.secrets)

    async def create(self, session: Session, new: NewVoucherBatch, maker: UUID, key: str) -> VoucherCodes:
        """Make the batch that *maker* asked for under the idempotency *key*, or answer again if it is made."""
        batch = self._batch(new, maker)
        request_hash = hashlib.sha256(msgspec.json.encode(new)).digest()
        values = msgspec.structs.asdict(batch) | {"request_key": key, "request_hash": request_hash}
        for name in ("redeemed", "withdrawn_at", *_ALIKE):
            del values[name]
        if await session.first(ADD_BATCH, **values) is None:
            return await self._again(session, maker, key, request_hash)
        codes = self._made_codes(batch)
        await self._add_vouchers(session, batch, codes)
        await self._ctx.events.publish(session, _created(batch))
        return VoucherCodes(batch=batch, codes=codes)

    async def find(self, batch_id: UUID) -> VoucherBatch:
        batch = await self._ctx.db.first(BATCH, batch_id=batch_id)
        if batch is None:
            raise problems.NotFound
        return batch

    async def list(self, query: BatchQuery) -> Page[VoucherBatch]:
        before = query.after(UUID) or _LAST_ID
        rows = await self._ctx.db.all(BATCHES, before=before, tag=query.tag, limit=query.limit + 1)
        return page(rows, query, lambda batch: batch.id)

    async def withdraw(self, session: Session, batch_id: UUID) -> VoucherBatch:
        """Make every voucher of the batch worthless from now on; what was redeemed stays."""
        if await session.run(WITHDRAW_BATCH, batch=batch_id, now=self._ctx.clock.now()):
            await session.run(WITHDRAW_VOUCHERS, batch=batch_id)
        batch = await session.first(BATCH, batch_id=batch_id)
        if batch is None:
            raise problems.NotFound
        return batch

    def _batch(self, new: NewVoucherBatch, maker: UUID) -> VoucherBatch:
        return VoucherBatch(
            id=new_id(),
            count=new.count,
            amount=new.amount,
            credit=new.credit,
            currency=self._ctx.deployment.currency,
            max_uses=new.max_uses,
            valid_from=new.valid_from and new.valid_from.astimezone(UTC),
            valid_until=new.valid_until and new.valid_until.astimezone(UTC),
            tag=new.tag,
            comment=new.comment,
            prefix=new.prefix,
            created_by=maker,
            created_at=self._ctx.clock.now(),
            withdrawn_at=None,
            redeemed=0,
        )

    async def _again(self, session: Session, maker: UUID, key: str, request_hash: bytes) -> VoucherCodes:
        """Answer a repeat: its first answer may have been lost, and the codes are nowhere but in it."""
        made = await session.one(MADE, maker=maker, key=key)
        if made.request_hash != request_hash:
            raise problems.IdempotencyKeyReused
        batch = await session.one(BATCH, batch_id=made.id)
        if self._ctx.clock.now() - batch.created_at > CODES_AGAIN_FOR:
            raise problems.Conflict(f"The batch {batch.id} was made with this key; its codes are not shown any more.")
        return VoucherCodes(batch=batch, codes=self._made_codes(batch))

    def _made_codes(self, batch: VoucherBatch) -> tuple[str, ...]:
        return tuple(self._codes.make(batch.id, number, batch.prefix) for number in range(batch.count))

    async def _add_vouchers(self, session: Session, batch: VoucherBatch, codes: Sequence[str]) -> None:
        for start in range(0, len(codes), _ROWS_AT_ONCE):
            some = codes[start : start + _ROWS_AT_ONCE]
            rows = [self._voucher(batch, number, code) for number, code in enumerate(some, start)]
            await session.run_many(ADD_VOUCHER, rows)

    def _voucher(self, batch: VoucherBatch, number: int, code: str) -> dict[str, object]:
        code_hash = self._codes.hash(code)
        return {
            "id": new_id(),
            "batch_id": batch.id,
            "number": number,
            "code_hash": code_hash,
            "max_uses": batch.max_uses,
        }


def _created(batch: VoucherBatch) -> VoucherBatchCreated:
    return VoucherBatchCreated(
        batch_id=batch.id, count=batch.count, amount=batch.amount or 0, currency=batch.currency, tag=batch.tag
    )
