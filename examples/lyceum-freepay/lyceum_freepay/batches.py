"""Vouchers as administrators make and see them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Page, PageQuery, new_id, page, problems
from kernel.contracts.payments import Credit, VoucherBatchCreated, VoucherKind
from kernel.contracts.payments_http import NewVoucherBatch, VoucherBatch, VoucherCodes
from kernel.database import Command, Query, Session, Timestamp
from lyceum_freepay.codes import hash_code, make_code
from lyceum_freepay.settings import FreePaySettings
from lyceum_freepay.tables import batches, vouchers

_LAST_ID: Final = UUID(int=2**128 - 1)


class Stored(msgspec.Struct, frozen=True):
    """A batch as it is stored, and how often its vouchers were used."""

    id: UUID
    count: int
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
    tag: str
    comment: str
    prefix: str
    created_by: UUID
    created_at: datetime
    withdrawn_at: datetime | None
    request_hash: bytes
    redeemed: int

    def shown(self) -> VoucherBatch:
        values = msgspec.structs.asdict(self)
        del values["request_hash"]
        return VoucherBatch(**values)


_USES: Final = (
    sa.select(sa.cast(sa.func.sum(vouchers.c.uses), sa.BigInteger))
    .where(vouchers.c.batch_id == batches.c.id)
    .scalar_subquery()
)
_BATCHES: Final = sa.select(*(batches.c[name] for name in Stored.__struct_fields__[:-1]), _USES.label("redeemed"))
BY_ID: Final = Query(_BATCHES.where(batches.c.id == bindparam("batch_id")), Stored)
BY_KEY: Final = Query(
    _BATCHES.where(batches.c.created_by == bindparam("maker"), batches.c.request_key == bindparam("key")), Stored
)
NEWEST: Final = Query(
    _BATCHES.where(batches.c.id < bindparam("before"))
    .order_by(batches.c.id.desc())
    .limit(bindparam("limit", type_=sa.Integer())),
    Stored,
)
#: Returns nothing if the same request was there before.
ADD: Final = Query(
    insert(batches)
    .values({column.name: bindparam(column.name) for column in batches.c})
    .on_conflict_do_nothing(index_elements=["created_by", "request_key"])
    .returning(batches.c.id),
    UUID,
)
ADD_VOUCHER: Final = Command(
    sa.insert(vouchers).values({name: bindparam(name) for name in ("code_hash", "id", "batch_id")}).values(uses=0)
)
#: Affects no row if there is no such batch, or it was withdrawn before.
WITHDRAW: Final = Command(
    sa.update(batches)
    .where(batches.c.id == bindparam("batch_id"), batches.c.withdrawn_at.is_(None))
    .values(withdrawn_at=bindparam("now", type_=Timestamp()))
)


class Batches:
    """Makes, withdraws and shows batches."""

    def __init__(self, ctx: Context[FreePaySettings]) -> None:
        self._ctx = ctx

    async def create(self, session: Session, new: NewVoucherBatch, maker: UUID, key: str) -> VoucherCodes:
        """Make the batch, or answer again if it was made under the same *key*."""
        batch = self._batch(new, maker)
        courses = [str(course_id) for course_id in batch.course_ids]
        values = msgspec.structs.asdict(batch) | {"request_key": key, "course_ids": courses}
        del values["redeemed"]
        if await session.first(ADD, **values) is None:
            batch = await self._again(session, maker, key, batch.request_hash)
        else:
            await self._add_vouchers(session, batch)
        return VoucherCodes(batch=batch.shown(), codes=self._codes(batch))

    async def find(self, batch_id: UUID) -> VoucherBatch:
        found = await self._ctx.db.first(BY_ID, batch_id=batch_id)
        if found is None:
            raise problems.NotFound
        return found.shown()

    async def withdraw(self, batch_id: UUID) -> VoucherBatch:
        """Make the vouchers of the batch worthless from now on."""
        await self._ctx.db.run(WITHDRAW, batch_id=batch_id, now=self._ctx.clock.now())
        return await self.find(batch_id)

    async def list(self, query: PageQuery) -> Page[VoucherBatch]:
        rows = await self._ctx.db.all(NEWEST, before=query.after(UUID) or _LAST_ID, limit=query.limit + 1)
        return page([row.shown() for row in rows], query, lambda batch: batch.id)

    def _batch(self, new: NewVoucherBatch, maker: UUID) -> Stored:
        values = msgspec.structs.asdict(new)
        if new.kind != "top-up":
            values["credit"] = None
        for name in ("valid_from", "valid_until"):
            values[name] = values[name] and values[name].astimezone(UTC)
        return Stored(
            id=new_id(),
            currency=self._ctx.deployment.currency,
            created_by=maker,
            created_at=self._ctx.clock.now(),
            withdrawn_at=None,
            request_hash=hashlib.sha256(msgspec.json.encode(new)).digest(),
            redeemed=0,
            **values,
        )

    async def _again(self, session: Session, maker: UUID, key: str, request_hash: bytes) -> Stored:
        made = await session.one(BY_KEY, maker=maker, key=key)
        if made.request_hash != request_hash:
            raise problems.IdempotencyKeyReused
        return made

    async def _add_vouchers(self, session: Session, batch: Stored) -> None:
        hashes = (hash_code(self._ctx.secrets, code) for code in self._codes(batch))
        rows = [{"code_hash": code_hash, "id": new_id(), "batch_id": batch.id} for code_hash in hashes]
        await session.run_many(ADD_VOUCHER, rows)
        brought = batch.amount if batch.kind == "top-up" else None
        event = VoucherBatchCreated(
            batch_id=batch.id,
            count=batch.count,
            amount=brought or 0,
            currency=batch.currency,
            tag=batch.tag,
            kind=batch.kind,
        )
        await self._ctx.events.publish(session, event)

    def _codes(self, batch: Stored) -> tuple[str, ...]:
        return tuple(make_code(self._ctx.secrets, batch.id, n, batch.prefix) for n in range(batch.count))
