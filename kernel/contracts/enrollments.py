"""`enrollments/1`: who may take which course, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Final, Protocol
from uuid import UUID

import msgspec

from kernel import Event, Personal, problems
from kernel.capabilities import Capability, Contribution


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a person may open a course now, and the reason."""

    allowed: bool
    reason: str  #: such as `purchase`, `staff`, `no-grant`, `expired`, `revoked`
    until: datetime | None = None  #: when it ends; None for never


class AlreadyEnrolled(problems.Problem):
    """The person has access to the course without an end; nothing was bought."""

    type, status, title = "already-enrolled", 409, "The course is yours already"


class CourseFull(problems.Problem):
    """Every seat of the course is taken; nothing was bought."""

    type, status, title = "course-full", 409, "Every seat is taken"


class AccessSuspended(problems.Problem):
    """The person's access to the course was suspended: it is neither left nor bought anew; nothing was changed."""

    type, status, title = "access-suspended", 409, "Your access to this course is suspended; ask the institution"


class GracePeriodOver(problems.Problem):
    """Leaving the course would give nothing back any more; nothing was changed."""

    type, status, title = "grace-period-over", 409, "There is no refund for this course any more"


class EnrollmentRefused(problems.Problem):
    """A policy forbids the enrolment, or did not answer; nothing was bought."""

    type, status, title = "enrollment-refused", 409, "This enrolment is not allowed"


class PriceChanged(problems.Problem):
    """The course costs another price than the person expected; the member `quote` holds it. Nothing was bought."""

    type, status, title = "price-changed", 409, "The price is another one now"


class PurchaseCameToNothing(problems.Problem):
    """The purchase was given up; what was charged goes back. Buy again with a new key."""

    type, status, title = "purchase-failed", 409, "The purchase came to nothing"


class UserEnrolled(Event, frozen=True, kw_only=True):
    """A person has access to a course; *source* says from what, such as `purchase` or `staff`."""

    name: ClassVar[str] = "enrollments.user_enrolled.v1"
    key: ClassVar[str] = "user_id"
    concerns: ClassVar[str] = "user_id"
    user_id: UUID
    course_id: UUID
    grant_id: UUID
    source: str


class GrantWaits(Event, frozen=True, kw_only=True):
    """A person was given access that begins only at *starts_at*; `UserEnrolled` follows once it counts."""

    name: ClassVar[str] = "enrollments.grant_waits.v1"
    key: ClassVar[str] = "user_id"
    concerns: ClassVar[str] = "user_id"
    user_id: UUID
    course_id: UUID
    grant_id: UUID
    source: str
    starts_at: Annotated[datetime, msgspec.Meta(tz=True)]  #: in UTC


class AccessEnded(Event, frozen=True, kw_only=True):
    """A person's last grant for a course is gone."""

    name: ClassVar[str] = "enrollments.access_ended.v1"
    key: ClassVar[str] = "user_id"
    personal: ClassVar[Personal] = {"user_id": {"reason": ""}}
    user_id: UUID
    course_id: UUID
    reason: str


class GrantRevoked(Event, frozen=True, kw_only=True):
    """One grant is gone; others of the same person and course stand."""

    name: ClassVar[str] = "enrollments.grant_revoked.v1"
    key: ClassVar[str] = "user_id"
    personal: ClassVar[Personal] = {"user_id": {"reason": ""}}
    user_id: UUID
    course_id: UUID
    grant_id: UUID
    reason: str


class PurchaseFailed(Event, frozen=True, kw_only=True):
    """A purchase came to nothing; what was charged has gone back."""

    name: ClassVar[str] = "enrollments.purchase_failed.v1"
    key: ClassVar[str] = "purchase_id"
    personal: ClassVar[Personal] = {"user_id": {"reason": ""}}
    purchase_id: UUID
    user_id: UUID
    course_id: UUID
    reason: str


class Enrollments(Protocol):
    """Answers who may take what."""

    async def access(self, user_id: UUID, course_id: UUID) -> Access:
        """Return whether the person may open the course now."""
        ...


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy says; *reason* is shown to the person when it refuses."""

    allowed: bool
    reason: str = ""


class EnrollmentPolicy(Protocol):
    """May forbid an enrolment; every contributor must allow it. An exception or a hang forbids."""

    async def judge(self, user_id: UUID, course_id: UUID) -> Verdict:
        """Return whether the person may enrol in the course."""
        ...


ENROLLMENTS: Final[Capability[Enrollments]] = Capability("enrollments", 1)
ENROLLMENT_POLICY: Final[Contribution[EnrollmentPolicy]] = Contribution("enrollment_policy", 1)
