"""The provider of `courses/1`."""

from __future__ import annotations

from uuid import UUID

from kernel.contracts.courses import CourseOffer
from kernel.database import Database
from plugins.courses.catalogue import OFFER
from plugins.courses.documents import decode_offer


class CourseOffers:
    """Tells other plugins what is taught."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def offer(self, course_id: UUID) -> CourseOffer | None:
        """Return the course in whichever state, None when there is none."""
        row = await self._db.lookup(OFFER, course_id)
        return None if row is None else decode_offer(row.offer)
