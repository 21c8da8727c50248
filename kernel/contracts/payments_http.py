"""The bodies of the HTTP surface of `payments/1`.

`POST /voucher-batches` and `POST /vouchers/redeem` require an Idempotency-Key. The answer to the first is the only one
that shows codes, as a table where the caller sends `Accept: text/csv` (first line: titles, first column: `code`); a
repeat with the same key and body is answered alike, so that a lost answer loses no money. No database holds a code in
clear.

A statement as a table is the whole of it, the newest movement first, below a line of titles: the names of the fields of
`StatementLine`, but `in` and `out` for `amount`. No cell begins as a formula of a spreadsheet does, not even with a
minus, so `promotional` has no sign there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec

from kernel.contracts.payments import MAX_AMOUNT, Credit, VoucherKind

#: The permission of whoever makes vouchers and looks at batches of them.
MANAGE_VOUCHERS: Final = "payments.manage_vouchers"

_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 9000  # short of where a change of time zone leaves the calendar

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
#: No spreadsheet takes it for a formula.
Tag = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9 ._-]{0,59})?$(?!\n)")]
Comment = Annotated[str, msgspec.Meta(max_length=500)]


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    """What one person has."""

    balance: int  #: minor units of *currency*: *refundable* and *promotional* together
    currency: str
    refundable: int = 0
    promotional: int = 0


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of a wallet."""

    id: UUID
    kind: str  #: such as `voucher`, `charge` or `refund`
    label: str  #: for people
    amount: int  #: what it added to the wallet; negative for what it took
    balance: int  #: what the wallet held after it
    currency: str
    reference: UUID  #: the voucher or the purchase
    course_id: UUID | None
    reason: str
    created_at: datetime
    promotional: int = 0  #: how much of *amount* was promotional credit, with the same sign


class RedeemVoucher(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A voucher's code as a person typed it; case, spaces and hyphens do not matter."""

    code: Annotated[str, msgspec.Meta(max_length=100)]


class CheckVoucher(RedeemVoucher, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A voucher's code, and the course it is to be used for, if any. The answer is a `VoucherOffer`."""

    course_id: UUID | None = None


class QuoteOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A course to price, with the code of a voucher if there is one. The answer is a `Quote`."""

    course_id: UUID
    voucher: Annotated[str, msgspec.Meta(max_length=100)] | None = None


class NewVoucherBatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Vouchers to make, all alike but for their codes."""

    count: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    kind: VoucherKind = "top-up"
    amount: Annotated[int, msgspec.Meta(ge=1, le=MAX_AMOUNT)] | None = None  #: what a top-up brings, a discount takes
    percent: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None  #: what a discount takes, rounded half up
    price: Annotated[int, msgspec.Meta(ge=0, le=MAX_AMOUNT)] | None = None  #: to which a discount lowers the price
    course_ids: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=100)] = ()  #: () for a discount on any course
    credit: Credit = "refundable"  #: of a top-up
    max_uses: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1  #: of each voucher, all people together
    max_uses_per_person: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    valid_from: Moment | None = None  #: None for at once
    valid_until: Moment | None = None  #: the first moment at which it no longer counts; None for never
    tag: Tag = ""
    comment: Comment = ""
    prefix: Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{0,8}$(?!\n)")] = ""  #: with which every code begins

    def __post_init__(self) -> None:
        check_validity(self.valid_from, self.valid_until)
        self._check_kind()

    def _check_kind(self) -> None:
        given = [name for name in ("amount", "percent", "price") if getattr(self, name) is not None]
        if self.kind == "top-up" and (given != ["amount"] or self.course_ids):
            raise ValueError("a 'top-up' has 'amount', and neither 'percent', 'price' nor 'course_ids'")
        if self.kind == "discount" and len(given) != 1:
            raise ValueError("a 'discount' has exactly one of 'amount', 'percent' and 'price'")
        if self.kind == "enrol" and (given or not self.course_ids):
            raise ValueError("an 'enrol' voucher has 'course_ids', and neither 'amount', 'percent' nor 'price'")


def check_validity(valid_from: datetime | None, valid_until: datetime | None) -> None:
    """Raise `ValueError` for a time in which vouchers can not be valid."""
    for name, moment in (("valid_from", valid_from), ("valid_until", valid_until)):
        if moment and not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            raise ValueError(f"'{name}' must lie between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    if valid_from and valid_until and valid_until <= valid_from:
        raise ValueError("'valid_until' must be later than 'valid_from'")


class VoucherBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of vouchers, without their codes."""

    id: UUID
    count: int
    kind: VoucherKind = "top-up"
    amount: int | None
    percent: int | None = None
    price: int | None = None
    course_ids: tuple[UUID, ...] = ()
    credit: Credit | None = None
    currency: str
    max_uses: int
    max_uses_per_person: int = 1
    valid_from: datetime | None
    valid_until: datetime | None
    tag: str
    comment: str
    prefix: str
    created_by: UUID
    created_at: datetime
    withdrawn_at: datetime | None
    redeemed: int  #: how many times its vouchers were used, all together


class VoucherCodes(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `POST /voucher-batches`, the only one that shows codes."""

    batch: VoucherBatch
    codes: tuple[str, ...]
