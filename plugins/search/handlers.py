"""What the search does about events: it marks what changed, and asks for it later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from kernel import Context, Delivery, Event, EventHandler, on
from kernel.contracts import courses
from kernel.contracts.search import SubjectChanged
from kernel.database import Session
from plugins.search.indexing import Indexing
from plugins.search.marks import mark
from plugins.search.settings import SearchSettings

COURSE: Final = "course"


#: Every event after which a course, or a lesson of it, may be found by other words or by other people.
OF_COURSES: Final = (
    courses.CourseArchived,
    courses.CourseChanged,
    courses.CourseCreated,
    courses.CourseDeleted,
    courses.CoursePublished,
    courses.CourseReturned,
    courses.CourseRevised,
    courses.CourseSubmitted,
    courses.InstructorsChanged,
    courses.LessonAdded,
    courses.LessonChanged,
    courses.LessonRemoved,
    courses.SectionAdded,
    courses.SectionChanged,
    courses.SectionRemoved,
)


class Changes:
    """Marks what events tell of."""

    def __init__(self, ctx: Context[SearchSettings]) -> None:
        self._clock = ctx.clock
        self._indexing = ctx.own(Indexing)

    def handlers(self) -> Iterable[EventHandler]:
        """Return who handles which event."""
        yield on(SubjectChanged, self.subject, name="subject")
        for event in OF_COURSES:
            yield on(event, self.course, name=event.name)

    async def subject(self, session: Session, delivery: Delivery[SubjectChanged]) -> None:
        """Have the subject indexed anew."""
        await self._mark(session, delivery.event.kind, delivery.event.subject_id, delivery.id)

    async def course(self, session: Session, delivery: Delivery[Event]) -> None:
        """Have the course indexed anew that is the key of the event."""
        await self._mark(session, COURSE, getattr(delivery.event, delivery.event.key), delivery.id)

    async def _mark(self, session: Session, kind: str, subject: UUID, event_id: UUID) -> None:
        await mark(session, kind, [subject], self._clock.now(), cause=event_id)
        session.after_commit(self._indexing.wake)
