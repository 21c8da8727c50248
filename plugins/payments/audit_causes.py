"""The rules of what moves money: each charge, refund and adjustment has the transfer that it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from plugins.payments.adjustments import key_of
from plugins.payments.audit import Moved
from plugins.payments.refunds import promotional_of


class ChargeAudit(msgspec.Struct, frozen=True, gc=False):
    """A charge and the sum of its refunds."""

    purchase_id: UUID
    id: UUID
    user_id: UUID
    course_id: UUID
    amount: int
    promotional: int
    currency: str
    refunded: int
    returned: bool
    created_at: datetime
    voucher_id: UUID | None
    given_back: int
    returns: int  #: how many of its refunds left nothing of it
    uses: int  #: how many uses of its voucher are for its purchase

    def where(self) -> str:
        return f"charge of purchase {self.purchase_id}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.purchase_id}

    def faults(self) -> Iterator[str]:
        if self.refunded != self.given_back:
            yield f"says that {self.refunded} went back, but its refunds add up to {self.given_back}"
        if self.given_back > self.amount:
            yield f"took {self.amount}, but gave back {self.given_back}"
        if self.returned != (self.returns == 1):
            yield f"says that {'all' if self.returned else 'not all'} of it went back, but its refunds do not"
        if self.uses != (self.voucher_id is not None):
            yield f"was made with the voucher {self.voucher_id}, of which {self.uses} uses are for its purchase"

    def cause_of(self) -> Moved | None:
        if not self.amount:
            return None
        return Moved(
            key=f"charge:{self.purchase_id}",
            id=self.id,
            user_id=self.user_id,
            amount=-self.amount,
            promotional=-self.promotional,
            currency=self.currency,
            course_id=self.course_id,
            reference=self.purchase_id,
            reason="",
            created_at=self.created_at,
        )


class RefundAudit(msgspec.Struct, frozen=True, gc=False):
    """A refund, whose charge it is of, and what had gone back of that after it."""

    key: str
    purchase_id: UUID
    requested: int | None
    amount: int
    refunded_after: int
    reason: str
    created_at: datetime
    user_id: UUID
    course_id: UUID
    currency: str
    charged: int
    charged_promotional: int
    until_then: int  #: the sum of the refunds up to this one

    def where(self) -> str:
        return f"refund {self.key}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.key}

    def faults(self) -> Iterator[str]:
        if self.refunded_after != self.until_then:
            yield f"says that {self.refunded_after} had gone back, but the refunds up to it add up to {self.until_then}"
        asked, given = (self.charged, self.refunded_after) if self.requested is None else (self.requested, self.amount)
        if asked != given:
            yield f"gave back {self.amount}, but {self.requested or 'all that was left'} was asked for"

    def cause_of(self) -> Moved | None:
        if not self.amount:
            return None
        return Moved(
            key=f"refund:{self.key}",
            id=None,
            user_id=self.user_id,
            amount=self.amount,
            promotional=self._promotional(self.refunded_after) - self._promotional(self.refunded_after - self.amount),
            currency=self.currency,
            course_id=self.course_id,
            reference=self.purchase_id,
            reason=self.reason,
            created_at=self.created_at,
        )

    def _promotional(self, refunded: int) -> int:
        return promotional_of(self.charged, self.charged_promotional, refunded)


class AdjustmentAudit(msgspec.Struct, frozen=True, gc=False):
    """What an administrator changed of a wallet."""

    id: UUID
    user_id: UUID
    amount: int
    credit: str
    currency: str
    reason: str
    adjusted_by: UUID
    created_at: datetime

    def where(self) -> str:
        return f"adjustment {self.id}"

    def after(self) -> Mapping[str, object]:
        return {"after": self.id}

    def faults(self) -> Iterator[str]:
        return iter(())

    def cause_of(self) -> Moved:
        return Moved(
            key=key_of(self.id, self.adjusted_by),
            id=self.id,
            user_id=self.user_id,
            amount=self.amount,
            promotional=self.amount if self.credit == "promotional" else 0,
            currency=self.currency,
            course_id=None,
            reference=self.id,
            reason=self.reason,
            created_at=self.created_at,
        )
