"""Batches of vouchers, as administrators make, list, change, withdraw and delete them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Page, PageQuery, Request, errors, new_id, page, problems
from kernel.contracts.audit import act
from kernel.contracts.payments import VoucherBatchCreated
from kernel.contracts.payments_http import NewVoucherBatch, VoucherBatch, VoucherCodes
from kernel.database import Command, Query, Session
from plugins.payments.changes import (
    CHANGE_BATCH,
    DELETE_BATCH,
    DELETE_VOUCHERS,
    LOCK_BATCH,
    WITHDRAW_BATCH,
    WITHDRAW_VOUCHERS,
    BatchChange,
    changed,
)
from plugins.payments.codes import Codes
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import voucher_batches, vouchers

#: How long a repeat of the request that made a batch is shown the codes again: its answer may have been lost.
CODES_AGAIN_FOR: Final = timedelta(hours=24)

_LAST_ID: Final = UUID(int=2**128 - 1)
_ROWS_AT_ONCE: Final = 500  # so that a large batch does not keep the process from serving others

#: Uses of its vouchers that were not given back; looks at none of those that nobody has used.
_REDEEMED: Final = (
    sa.select(sa.func.coalesce(sa.func.sum(vouchers.c.uses), 0))
    .where(vouchers.c.batch_id == voucher_batches.c.id, vouchers.c.used)
    .scalar_subquery()
    .label("redeemed")
)
_SHOWN: Final = tuple(
    _REDEEMED if name == "redeemed" else voucher_batches.c[name] for name in VoucherBatch.__struct_fields__
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
    checked: bool


MADE: Final = Query(
    sa.select(voucher_batches.c.id, voucher_batches.c.request_hash, voucher_batches.c.checked).where(
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


class BatchQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which batches to list."""

    tag: str | None = None  #: only those with exactly this tag


class Batches:
    """Makes, lists, changes, withdraws and deletes batches."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._ctx = ctx
        self._codes = Codes(ctx.secrets)

    async def create(self, session: Session, new: NewVoucherBatch, request: Request) -> tuple[VoucherCodes, bool]:
        """Make the batch that *request* asks for under its idempotency key; if that was done, show it and say so."""
        batch, key = self._batch(new, request.principal.id), request.idempotency_key or ""
        request_hash = hashlib.sha256(msgspec.json.encode(new)).digest()
        values = msgspec.structs.asdict(batch) | {"checked": True, "request_key": key, "request_hash": request_hash}
        del values["redeemed"], values["withdrawn_at"]
        if await session.first(ADD_BATCH, **values) is None:
            return await self._again(session, batch.created_by, key, request_hash), True
        codes = self._made_codes(batch, checked=True)
        await self._add_vouchers(session, batch, codes)
        await self._ctx.events.publish(session, _created(batch))
        await self._record(session, request, "create", batch.id, after=_shown(batch))
        return VoucherCodes(batch=batch, codes=codes), False

    async def find(self, batch_id: UUID) -> VoucherBatch:
        batch = await self._ctx.db.first(BATCH, batch_id=batch_id)
        if batch is None:
            raise problems.NotFound
        return batch

    async def list(self, query: BatchQuery) -> Page[VoucherBatch]:
        before = query.after(UUID) or _LAST_ID
        rows = await self._ctx.db.all(BATCHES, before=before, tag=query.tag, limit=query.limit + 1)
        return page(rows, query, lambda batch: batch.id)

    async def change(self, session: Session, batch_id: UUID, change: BatchChange, request: Request) -> VoucherBatch:
        """Change what of a batch can be changed after it was made."""
        await session.first(LOCK_BATCH, batch=batch_id)
        before = await _existing(session, batch_id)
        after = changed(before, change)
        names = [name for name in BatchChange.__struct_fields__ if getattr(before, name) != getattr(after, name)]
        if names:
            values = {f"new_{name}": getattr(after, name) for name in BatchChange.__struct_fields__}
            await session.run(CHANGE_BATCH, batch=batch_id, **values)
            changes = {"before": _shown(before, names), "after": _shown(after, names)}
            await self._record(session, request, "change", batch_id, **changes)
        return after

    async def withdraw(self, session: Session, batch_id: UUID, request: Request) -> VoucherBatch:
        """Make every voucher of the batch worthless from now on; what was redeemed stays."""
        if await session.run(WITHDRAW_BATCH, batch=batch_id, now=self._ctx.clock.now()):
            await session.run(WITHDRAW_VOUCHERS, batch=batch_id)
            await self._record(session, request, "withdraw", batch_id)
        return await _existing(session, batch_id)

    async def delete(self, batch_id: UUID, request: Request) -> None:
        """Delete a batch of which nothing was ever redeemed.

        Raises:
            problems.Conflict: something was, also where it was given back since.
        """
        try:
            async with self._ctx.db.transaction() as session:
                await self._delete(session, batch_id, request)
        except errors.ConstraintViolation:  # at this moment a voucher of it was redeemed
            raise _redeemed() from None

    async def _delete(self, session: Session, batch_id: UUID, request: Request) -> None:
        await session.first(
            LOCK_BATCH, batch=batch_id
        )  # before its vouchers, as a withdrawal: they never wait in a circle
        batch = await _existing(session, batch_id)
        await session.run(DELETE_VOUCHERS, batch=batch_id)
        if not await session.run(DELETE_BATCH, batch=batch_id):
            raise _redeemed()
        await self._record(session, request, "delete", batch_id, before=_shown(batch))

    async def _record(self, session: Session, request: Request, what: str, batch_id: UUID, **changes: Any) -> None:
        recorded = act(request, f"payments.{what}_voucher_batch", f"voucher_batch:{batch_id}", **changes)
        await self._ctx.events.publish(session, recorded)

    def _batch(self, new: NewVoucherBatch, maker: UUID) -> VoucherBatch:
        return VoucherBatch(
            id=new_id(),
            count=new.count,
            kind=new.kind,
            amount=new.amount,
            percent=new.percent,
            price=new.price,
            course_ids=new.course_ids,
            credit=new.credit if new.kind == "top-up" else None,
            currency=self._ctx.deployment.currency,
            max_uses=new.max_uses,
            max_uses_per_person=new.max_uses_per_person,
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
        return VoucherCodes(batch=batch, codes=self._made_codes(batch, checked=made.checked))

    def _made_codes(self, batch: VoucherBatch, *, checked: bool) -> tuple[str, ...]:
        numbers = range(batch.count)
        return tuple(self._codes.make(batch.id, number, batch.prefix, checked=checked) for number in numbers)

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
        batch_id=batch.id,
        count=batch.count,
        amount=(batch.amount or 0) if batch.kind == "top-up" else 0,
        currency=batch.currency,
        tag=batch.tag,
        kind=batch.kind,
    )


async def _existing(session: Session, batch_id: UUID) -> VoucherBatch:
    batch = await session.first(BATCH, batch_id=batch_id)
    if batch is None:
        raise problems.NotFound
    return batch


def _shown(batch: VoucherBatch, names: Iterable[str] = VoucherBatch.__struct_fields__) -> dict[str, Any]:
    """Return the fields *names* of *batch* as the record of an act holds them."""
    fields: dict[str, Any] = msgspec.to_builtins(batch)
    return {name: fields[name] for name in names}


def _redeemed() -> problems.Conflict:
    return problems.Conflict("Vouchers of the batch were redeemed; withdraw it instead.")
