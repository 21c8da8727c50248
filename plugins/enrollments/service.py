"""The providers of `enrollments/1` and `course_access/1`."""

from __future__ import annotations

from uuid import UUID

from kernel import Clock
from kernel.contracts.enrollments import Access
from kernel.database import Database
from plugins.enrollments.access import GRANTS_OF, decide


class EnrollmentAccess:
    """Answers who may take what."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def access(self, user_id: UUID, course_id: UUID) -> Access:
        """Return whether the person may open the course now."""
        found = await self._db.all(GRANTS_OF, user_id=user_id, course_id=course_id)
        return decide(found, self._clock.now())

    async def may_open(self, user_id: UUID, course_id: UUID) -> bool:
        """Return whether the person may open the lessons now."""
        return (await self.access(user_id, course_id)).allowed
