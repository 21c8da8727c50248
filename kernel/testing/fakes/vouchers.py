"""Vouchers in memory: what `InMemoryPayments` knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from kernel import new_id
from kernel.clock import Clock
from kernel.contracts.payments import VoucherKind, VoucherOffer, VoucherRefused
from kernel.contracts.payments_http import NewVoucherBatch


@dataclass
class Voucher:
    """A voucher, the only one of its batch, and who used it."""

    terms: NewVoucherBatch
    id: UUID = field(default_factory=new_id)
    batch_id: UUID = field(default_factory=new_id)
    withdrawn: bool = False
    users: list[UUID] = field(default_factory=list)  #: a person for each use

    @property
    def kind(self) -> VoucherKind:
        return self.terms.kind

    def is_for(self, course_id: UUID) -> bool:
        """Return whether it can be used for the course."""
        return not self.terms.course_ids or course_id in self.terms.course_ids

    def taken_off(self, price: int) -> int:
        """Return what it takes off *price*."""
        if self.kind == "top-up":
            return 0
        if self.terms.percent is not None:
            return (price * self.terms.percent + 50) // 100
        if self.terms.amount is not None:
            return min(price, self.terms.amount)
        return max(0, price - (self.terms.price or 0))

    def refusal(self, user_id: UUID, now: datetime) -> str | None:
        """Return why the person can not use it now, None if it can be used."""
        if self.withdrawn:
            return "withdrawn"
        if self.terms.valid_from is not None and now < self.terms.valid_from:
            return "not-yet-valid"
        if self.terms.valid_until is not None and now >= self.terms.valid_until:
            return "expired"
        if self.users.count(user_id) >= self.terms.max_uses_per_person:
            return "already-redeemed"
        return "used-up" if len(self.users) >= self.terms.max_uses else None

    def offer(self, currency: str) -> VoucherOffer:
        """Return what it would do."""
        return VoucherOffer(
            voucher_id=self.id,
            kind=self.kind,
            course_ids=self.terms.course_ids,
            amount=self.terms.amount,
            percent=self.terms.percent,
            price=0 if self.kind == "enrol" else self.terms.price,
            currency=currency,
            credit=self.terms.credit if self.kind == "top-up" else None,
            valid_until=self.terms.valid_until,
        )


class InMemoryVouchers:
    """Makes vouchers, finds them by their codes and says whether they can be used."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_code: dict[str, Voucher] = {}

    def make(self, terms: Mapping[str, object]) -> str:
        """Make a voucher with the fields of `NewVoucherBatch`; return its code."""
        voucher = Voucher(msgspec.convert({"count": 1, **terms}, NewVoucherBatch))
        code = f"{voucher.kind}-{len(self._by_code) + 1}".upper()
        self._by_code[_plain(code)] = voucher
        return code

    def find(self, typed: str) -> Voucher:
        """Return the voucher whose code was *typed*, usable or not.

        Raises:
            VoucherRefused: there is none.
        """
        found = self._by_code.get(_plain(typed))
        if found is None:
            raise refused("unknown")
        return found

    def require_usable(self, voucher: Voucher, user_id: UUID, course_id: UUID | None = None) -> None:
        """Raise `VoucherRefused` if the person can not use *voucher* now, or not for the course."""
        reason = voucher.refusal(user_id, self._clock.now())
        if reason is None and course_id is not None and not voucher.is_for(course_id):
            reason = "other-course"
        if reason is not None:
            raise refused(reason)

    def give_back(self, voucher_id: UUID, user_id: UUID) -> Voucher:
        """Let one use less of the person count; return the voucher."""
        voucher = next(one for one in self._by_code.values() if one.id == voucher_id)
        voucher.users.remove(user_id)
        return voucher


def refused(reason: str, **members: object) -> VoucherRefused:
    """Return the refusal for *reason*, one of `REFUSAL_REASONS`."""
    return VoucherRefused(extensions={"reason": reason, **members})


def _plain(code: str) -> str:
    return code.translate(str.maketrans("", "", " -")).upper()
