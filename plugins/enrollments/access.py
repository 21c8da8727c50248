"""Access as the sum of grants: which of them count now, and why the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.contracts.enrollments import Access
from kernel.database import Query
from plugins.enrollments.tables import grants

Source = Literal["purchase", "voucher", "gift", "staff", "trial"]
State = Literal["active", "suspended", "revoked"]
Why = Literal["counts", "revoked", "suspended", "not-started", "expired"]


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why a person may take a course."""

    id: UUID
    user_id: UUID
    course_id: UUID
    source: Source
    state: State
    reason: str  #: why it was given, suspended or revoked, for people
    purchase_id: UUID | None
    starts_at: datetime
    ends_at: datetime | None
    created_at: datetime


class ExplainedGrant(msgspec.Struct, frozen=True, kw_only=True):
    """A grant, and whether it counts now."""

    grant: Grant
    counts: bool
    why: Why


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a person may open a course now, and every grant that has a part in it."""

    user_id: UUID
    course_id: UUID
    access: Access
    grants: list[ExplainedGrant]


GRANT_COLUMNS: Final = tuple(grants.c[name] for name in Grant.__struct_fields__)
GRANTS_OF: Final = Query(
    sa.select(*GRANT_COLUMNS)
    .where(grants.c.user_id == bindparam("user_id"), grants.c.course_id == bindparam("course_id"))
    .order_by(grants.c.id),
    Grant,
)


def why(grant: Grant, now: datetime) -> Why:
    """Return why *grant* counts or does not."""
    if grant.state != "active":
        return grant.state
    if grant.ends_at is not None and grant.ends_at <= now:
        return "expired"
    return "not-started" if grant.starts_at > now else "counts"


def is_over(grant: Grant, now: datetime) -> bool:
    """Return whether *grant* can never count any more."""
    return grant.state == "revoked" or (grant.ends_at is not None and grant.ends_at <= now)


def decide(found: Sequence[Grant], now: datetime) -> Access:
    """Return what *found*, the grants of one person for one course, oldest first, come to.

    Of those that count the one that lasts longest gives the reason; of those that do not, the newest.
    """
    counting = [grant for grant in found if why(grant, now) == "counts"]
    if counting:
        best = max(counting, key=lambda grant: (grant.ends_at is None, grant.ends_at or now))
        return Access(allowed=True, reason=best.source, until=best.ends_at)
    return Access(allowed=False, reason=why(found[-1], now) if found else "no-grant")


def explain(user_id: UUID, course_id: UUID, found: Sequence[Grant], now: datetime) -> Explanation:
    """Return `decide` with each grant's part in it."""
    explained = [
        ExplainedGrant(grant=grant, counts=reason == "counts", why=reason)
        for grant, reason in ((grant, why(grant, now)) for grant in found)
    ]
    return Explanation(user_id=user_id, course_id=course_id, access=decide(found, now), grants=explained)
