"""An in-memory `enrollments/1`, and a plugin that provides it where a test leaves the real one out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from kernel import Clock, Context, Event, Manifest, Plugin, Provide, hookimpl, new_id
from kernel.contracts.courses import COURSE_ACCESS
from kernel.contracts.enrollments import ENROLLMENTS, Access, AccessEnded, GrantRevoked, UserEnrolled


class Enrollment(msgspec.Struct, frozen=True):
    """What one person has of one course."""

    grant_id: UUID
    until: datetime | None


class InMemoryEnrollments:
    """Knows who was enrolled by a test."""

    def __init__(self, clock: Clock) -> None:
        self.events: list[Event] = []
        self._clock = clock
        self._enrolled: dict[tuple[UUID, UUID], Enrollment] = {}

    async def access(self, user_id: UUID, course_id: UUID) -> Access:
        found = self._enrolled.get((user_id, course_id))
        if found is None:
            return Access(allowed=False, reason="no-grant")
        if found.until is not None and found.until <= self._clock.now():
            return Access(allowed=False, reason="expired", until=found.until)
        return Access(allowed=True, reason="staff", until=found.until)

    async def may_open(self, user_id: UUID, course_id: UUID) -> bool:
        return (await self.access(user_id, course_id)).allowed

    def enrol(self, user_id: UUID, course_id: UUID, *, until: datetime | None = None) -> None:
        """Give access."""
        grant_id = new_id()
        self._enrolled[user_id, course_id] = Enrollment(grant_id, until)
        self.events.append(UserEnrolled(user_id=user_id, course_id=course_id, grant_id=grant_id, source="staff"))

    def end(self, user_id: UUID, course_id: UUID, reason: str = "revoked") -> None:
        """Take the access away."""
        found = self._enrolled.pop((user_id, course_id))
        self.events += [
            GrantRevoked(user_id=user_id, course_id=course_id, grant_id=found.grant_id, reason=reason),
            AccessEnded(user_id=user_id, course_id=course_id, reason=reason),
        ]


def _of(ctx: Context[Any]) -> InMemoryEnrollments:
    return InMemoryEnrollments(ctx.clock)


class InMemoryEnrollmentsPlugin(Plugin):
    """Provides `enrollments/1` from memory; `deployment.platform.services.get(ENROLLMENTS)` is the object."""

    manifest: ClassVar[Manifest] = Manifest(name="test-enrollments", version="1", provides=(ENROLLMENTS, COURSE_ACCESS))

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        for capability in (ENROLLMENTS, COURSE_ACCESS):
            yield Provide(capability, lambda: contextlib.nullcontext(ctx.own(_of)))
