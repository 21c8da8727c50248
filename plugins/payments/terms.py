"""The terms of a voucher: when it counts, for what, and what it makes of a price. No I/O."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from kernel.contracts.payments import Credit, VoucherKind, VoucherOffer


class Voucher(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher and what its batch says of it."""

    code_hash: bytes
    id: UUID
    batch_id: UUID
    kind: VoucherKind
    amount: int | None
    percent: int | None
    price: int | None
    course_ids: tuple[UUID, ...]
    credit: Credit | None
    currency: str
    max_uses_per_person: int
    valid_from: datetime | None
    valid_until: datetime | None
    withdrawn: bool


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


def is_for(voucher: Voucher, course_id: UUID) -> bool:
    """Return whether *voucher* can be used for the course; a top-up is money, and so for any."""
    return not voucher.course_ids or course_id in voucher.course_ids


def taken_off(voucher: Voucher, price: int) -> int:
    """Return what *voucher* takes off *price*, which is never below 0: at most all of it."""
    if voucher.kind == "top-up":
        return 0
    if voucher.kind == "enrol":
        return price
    if voucher.percent is not None:
        return (price * voucher.percent + 50) // 100  # rounded half up
    if voucher.price is not None:
        return max(0, price - voucher.price)
    return min(price, voucher.amount or 0)


def label_of(voucher: Voucher) -> str:
    """Return what a price line says of *voucher*, for people."""
    return "Voucher" if voucher.percent is None else f"Voucher ({voucher.percent} %)"


def offer_of(voucher: Voucher) -> VoucherOffer:
    """Return what *voucher* would do."""
    return VoucherOffer(
        voucher_id=voucher.id,
        kind=voucher.kind,
        course_ids=voucher.course_ids,
        amount=voucher.amount,
        percent=voucher.percent,
        price=0 if voucher.kind == "enrol" else voucher.price,
        currency=voucher.currency,
        credit=voucher.credit,
        valid_until=voucher.valid_until,
    )
