"""What enrolments remember of courses: enough to list them without asking."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # compiles on SQLite just as well

from kernel import Context, Delivery, Event
from kernel.contracts.courses import (
    COURSES,
    CourseArchived,
    CourseChanged,
    CourseCreated,
    CourseDeleted,
    CoursePublished,
    CourseReturned,
    CourseRevised,
    CourseSubmitted,
)
from kernel.database import Command, Session
from plugins.enrollments.errands import Errands
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.tables import courses

#: What may have changed the facts that are remembered.
FACTS: Final[tuple[type[Event], ...]] = (
    CourseArchived,
    CourseChanged,
    CourseCreated,
    CourseDeleted,
    CoursePublished,
    CourseReturned,
    CourseRevised,
    CourseSubmitted,
)
_remember: Final = insert(courses).values({column.name: bindparam(column.name) for column in courses.c})
#: An older state never takes the place of a newer one, whichever comes first.
REMEMBER: Final = Command(
    _remember.on_conflict_do_update(
        index_elements=[courses.c.id],
        set_={column.name: _remember.excluded[column.name] for column in courses.c if column.name != "id"},
        where=courses.c.version < _remember.excluded.version,
    )
)
FORGET: Final = Command(sa.delete(courses).where(courses.c.id == bindparam("course_id")))


class Snapshots:
    """Keeps what is remembered up to date."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._db = ctx.db
        self._services = ctx.services
        self._errands = ctx.own(Errands)

    async def changed(self, session: Session, delivery: Delivery[Event]) -> None:
        """Have the course asked for as it is now: the events of several handlers come in no order among each other."""
        await self._errands.leave(session, "course", UUID(delivery.key), event=delivery.id)

    async def renew(self, course_id: UUID, reason: str) -> None:
        """Remember the course as it is now."""
        offer = await self._services.get(COURSES).offer(course_id)
        if offer is None:
            await self._db.run(FORGET, course_id=course_id)
            return
        await self._db.run(
            REMEMBER,
            id=offer.id,
            title=offer.title,
            status=offer.status,
            version=offer.version,
        )
