"""What requests about enrolments may hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel import PageQuery

Reason = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")]
Moment = Annotated[datetime, Meta(tz=True)]

#: Moments that every database and every time zone can hold.
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(3000, 1, 1, tzinfo=UTC)


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON of a request."""


class NewGrant(Body, frozen=True, kw_only=True):
    """Access to give to a person, at once and for ever unless it says otherwise."""

    user_id: UUID
    course_id: UUID
    reason: Reason
    source: Literal["staff", "gift", "trial", "voucher"] = "staff"
    starts_at: Moment | None = None
    ends_at: Moment | None = None

    def __post_init__(self) -> None:
        for name in ("starts_at", "ends_at"):
            moment: datetime | None = getattr(self, name)
            if moment is not None and not _EARLIEST <= moment < _LATEST:
                raise ValueError(f"{name} must lie between the years 2000 and 3000")
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("ends_at must be later than starts_at")
        if self.source == "trial" and self.ends_at is None:
            raise ValueError("a trial has an end: give its ends_at")


class WithReason(Body, frozen=True, kw_only=True):
    """Why."""

    reason: Reason


class Refund(Body, frozen=True, kw_only=True):
    """How much of the price goes back, and why; all that is left without an amount."""

    reason: Reason
    amount: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None


class ExplainQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose access to which course; the caller's own without a person."""

    course_id: UUID
    user_id: UUID | msgspec.UnsetType = msgspec.UNSET


class PurchasesQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which purchases to list: those that are pending."""

    state: Literal["pending"]
