"""Purchases: one row for each attempt to buy, from pending to completed or failed, refunded or revoked."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # compiles on SQLite just as well

from kernel.contracts.enrollments import PurchaseFailed, UserEnrolled
from kernel.contracts.payments import VoucherKind
from kernel.database import Command, Follow, Guarded, Query, Returned, outbox_follow
from plugins.enrollments.access import Source
from plugins.enrollments.tables import grants, purchases, terms

PurchaseState = Literal["pending", "completed", "failed", "refunded", "revoked"]


class Purchase(msgspec.Struct, frozen=True):
    """One attempt to buy a course."""

    id: UUID
    user_id: UUID
    course_id: UUID
    grant_id: UUID
    request_hash: bytes
    amount: int
    currency: str
    state: PurchaseState
    reason: str  #: why it failed or was refunded
    voucher_kind: VoucherKind | None  #: of the voucher that it is bought with
    created_at: datetime


class Completed(msgspec.Struct, frozen=True):
    """What a completed purchase gives to the grant."""

    id: UUID
    user_id: UUID
    course_id: UUID
    grant_id: UUID
    source: Source


_COLUMNS: Final = tuple(purchases.c[name] for name in Purchase.__struct_fields__)
#: What a purchase begins with, beside its key.
GIVEN: Final = (
    "id",
    "user_id",
    "course_id",
    "grant_id",
    "request_hash",
    "amount",
    "currency",
    "voucher_kind",
    "created_at",
)
_ID: Final = purchases.c.id == bindparam("purchase_id")
_PENDING: Final = purchases.c.state == sa.literal_column("'pending'")


def _value(name: str) -> sa.BindParameter[object]:
    return bindparam(name, type_=purchases.c[name].type)


#: Whoever has access without an end has nothing to buy; who has it for a time may buy it for good.
_ENTITLEMENT: Final = sa.select(grants.c.id).where(
    grants.c.user_id == _value("user_id"),
    grants.c.course_id == _value("course_id"),
    grants.c.state == sa.literal_column("'active'"),
    grants.c.starts_at <= _value("created_at"),
    grants.c.ends_at.is_(None),
)
#: Locks no row where there is none, but on PostgreSQL the table against the one who is about to set a first limit.
_LIMITED: Final = (
    sa.select(terms.c.course_id)
    .where(terms.c.course_id == _value("course_id"))
    .with_for_update(read=True, key_share=True)
)


#: Whoever was suspended does not come back by another way, until somebody resumes or revokes the grant.
_SUSPENSION: Final = sa.select(grants.c.id).where(
    grants.c.user_id == _value("user_id"),
    grants.c.course_id == _value("course_id"),
    grants.c.state == sa.literal_column("'suspended'"),
    sa.or_(grants.c.ends_at.is_(None), grants.c.ends_at > _value("created_at")),
)


def _beginning(*conditions: sa.ColumnElement[bool]) -> Guarded[UUID]:
    columns = [*GIVEN, "key"]
    values = (_value(name) for name in columns)
    return Guarded(
        insert(purchases)
        .from_select(
            [*columns, "state", "reason"],
            sa.select(*values, sa.literal_column("'pending'"), sa.literal_column("''")).where(*conditions),
        )
        .on_conflict_do_nothing()
        .returning(purchases.c.id),
        UUID,
        key=("id", "id"),
    )


#: Returns nothing where the key was used, the access is suspended, the course is being or was bought, or is the
#: person's already; and where the course has a number of seats, one of which has to be taken in the same transaction,
#: with `BEGIN_SEATED`.
BEGIN: Final = _beginning(~_ENTITLEMENT.exists(), ~_SUSPENSION.exists(), ~_LIMITED.exists())
BEGIN_SEATED: Final = _beginning(~_ENTITLEMENT.exists(), ~_SUSPENSION.exists())
_SOURCE: Final = sa.case(
    (purchases.c.voucher_kind == sa.literal_column("'enrol'"), sa.literal_column("'voucher'")),
    else_=sa.literal_column("'purchase'"),
)
#: Gives the access that was paid for, and tells of it, unless the purchase is no longer pending.
COMPLETE: Final = Guarded(
    sa.update(purchases)
    .where(_ID, _PENDING)
    .values(state="completed", settled_at=bindparam("now"))
    .returning(
        purchases.c.id, purchases.c.user_id, purchases.c.course_id, purchases.c.grant_id, _SOURCE.label("source")
    ),
    Completed,
    (
        Follow(
            grants,
            {
                "id": Returned("grant_id"),
                "user_id": Returned("user_id"),
                "course_id": Returned("course_id"),
                "source": Returned("source"),
                "state": "active",
                "reason": "",
                "purchase_id": Returned("id"),
                "starts_at": bindparam("now"),
                "created_at": bindparam("now"),
            },
        ),
        outbox_follow(),
    ),
    key=("purchase_id", "id"),
)


def _failing(**changes: sa.ColumnElement[str]) -> Guarded[UUID]:
    return Guarded(
        sa.update(purchases)
        .where(_ID, _PENDING)
        .values(state="failed", reason=bindparam("reason"), settled_at=bindparam("now"), **changes)
        .returning(purchases.c.id),
        UUID,
        (outbox_follow(),),
    )


#: Gives the purchase up, and tells of it, unless it is no longer pending.
FAIL: Final = _failing()
#: As `FAIL`, and frees the key, so that the person may buy with it once there is money. What takes its place holds a
#: space, so nobody can send it.
REFUSE: Final = _failing(key=sa.literal_column("'refused '").concat(sa.cast(purchases.c.id, sa.Text)))
#: Marks that the money went back, whether or not the access was given before.
REFUNDED: Final = Query(
    sa.update(purchases)
    .where(
        _ID, purchases.c.state.in_([sa.literal_column(f"'{state}'") for state in ("pending", "completed", "revoked")])
    )
    .values(state="refunded", reason=bindparam("reason"), settled_at=bindparam("now"))
    .returning(*_COLUMNS),
    Purchase,
)
#: Marks that the access was taken without giving money back; the course may be bought again.
REVOKED: Final = Command(
    sa.update(purchases)
    .where(_ID, purchases.c.state == sa.literal_column("'completed'"))
    .values(state="revoked", reason=bindparam("reason"))
)
PURCHASE: Final = Query(sa.select(*_COLUMNS).where(_ID), Purchase)
#: Of these purchases the ones about whose charge nothing is to be done any more.
SETTLED: Final = Query(
    sa.select(purchases.c.id).where(
        purchases.c.id.in_(bindparam("purchase_ids", expanding=True)),
        purchases.c.state.in_([sa.literal_column(f"'{state}'") for state in ("completed", "refunded", "revoked")]),
    ),
    UUID,
)
PURCHASE_BY_KEY: Final = Query(
    sa.select(*_COLUMNS).where(purchases.c.user_id == bindparam("user_id"), purchases.c.key == bindparam("key")),
    Purchase,
)
#: Finds what the person need not or can not buy again; also a purchase whose access is suspended.
SUSPENDED: Final = Query(_SUSPENSION, UUID)
OWNED: Final = Query(
    sa.union_all(
        _ENTITLEMENT,
        sa.select(purchases.c.id).where(
            purchases.c.user_id == _value("user_id"),
            purchases.c.course_id == _value("course_id"),
            purchases.c.state == sa.literal_column("'completed'"),
        ),
    ),
    UUID,
)


def _unattended(table: sa.FromClause) -> sa.ColumnElement[bool]:
    before = bindparam("before", type_=purchases.c.created_at.type)
    unchecked = sa.or_(table.c.checked_at.is_(None), table.c.checked_at < before)
    return sa.and_(table.c.state == sa.literal_column("'pending'"), table.c.created_at < before, unchecked)


_stuck: Final = purchases.alias("stuck")
#: Takes up purchases that are pending since `before`. The condition stands twice so that, of two sweepers that
#: choose the same row, the one that waited for the other's update finds it taken.
TAKE_STUCK: Final = Query(
    sa.update(purchases)
    .where(
        purchases.c.id.in_(sa.select(_stuck.c.id).where(_unattended(_stuck)).order_by(_stuck.c.created_at).limit(100)),
        _unattended(purchases),
    )
    .values(checked_at=bindparam("now"))
    .returning(*_COLUMNS),
    Purchase,
)


def source_of(purchase: Purchase) -> Source:
    """Return the source of the grant that the purchase brings, as `COMPLETE` writes it."""
    return "voucher" if purchase.voucher_kind == "enrol" else "purchase"


def enrolled(purchase: Purchase) -> UserEnrolled:
    """Return what `COMPLETE` tells."""
    return UserEnrolled(
        user_id=purchase.user_id,
        course_id=purchase.course_id,
        grant_id=purchase.grant_id,
        source=source_of(purchase),
    )


def failed(purchase: Purchase, reason: str) -> PurchaseFailed:
    """Return what `FAIL` and `REFUSE` tell."""
    return PurchaseFailed(
        purchase_id=purchase.id, user_id=purchase.user_id, course_id=purchase.course_id, reason=reason
    )
