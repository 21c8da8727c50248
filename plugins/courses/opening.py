"""Who may see a course and open its lessons."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, Principal, problems
from kernel.contracts.courses import COURSE_ACCESS, CourseAccess
from kernel.database import Query
from plugins.courses.catalogue import DocumentRow
from plugins.courses.documents import Kind, decode_offer
from plugins.courses.editing import REVIEW, edits
from plugins.courses.outline import Lesson
from plugins.courses.settings import CoursesSettings
from plugins.courses.states import Status
from plugins.courses.tables import courses, lessons


class LessonInCourse(msgspec.Struct, frozen=True, kw_only=True):
    """A lesson, and what decides who may open it."""

    id: UUID
    section_id: UUID
    title: str
    kind: Kind
    preview: bool
    summary: str
    text: str
    status: Status
    published_at: datetime | None
    offer: bytes

    def lesson(self) -> Lesson:
        """Return the lesson alone."""
        return Lesson(**{name: getattr(self, name) for name in Lesson.__struct_fields__})


LESSON_IN_COURSE: Final = Query(
    sa.select(
        *(lessons.c[name] for name in Lesson.__struct_fields__),
        courses.c.status,
        courses.c.published_at,
        courses.c.offer,
    )
    .join_from(lessons, courses, courses.c.id == lessons.c.course_id)
    .where(lessons.c.id == bindparam("lesson_id"), courses.c.id == bindparam("course_id")),
    LessonInCourse,
)


class Doors:
    """Decides who comes in; what other plugins say counts only when it is a plain yes in time."""

    def __init__(self, ctx: Context[CoursesSettings]) -> None:
        self._ctx = ctx

    async def require_sight(self, caller: Principal | None, course: DocumentRow) -> bool:
        """Refuse the sight of a course that is not published to those who do not teach, review or hold it.

        Return whether *caller* works on it: teaches or reviews.

        Raises:
            problems.NotFound: as for a course that does not exist.
        """
        if caller is None:
            raise problems.NotFound
        if _works_on(caller, course.offer):
            return True
        if course.published_at is None or not await self._admitted(caller.id, course.id):
            raise problems.NotFound
        return False

    async def require_lesson(self, caller: Principal | None, course_id: UUID, lesson: LessonInCourse) -> None:
        """Refuse the content of a lesson to those who have no access.

        Raises:
            problems.NotFound: the course is not on show, as for a lesson that does not exist.
            problems.NotSignedIn, problems.Forbidden: the lesson is on show, its content is not.
        """
        on_show = lesson.status == "published"
        if on_show and lesson.preview:
            return
        if caller is None:
            raise problems.NotSignedIn if on_show else problems.NotFound
        if _works_on(caller, lesson.offer):
            return
        # Who had access while the course was on show keeps it when it is archived or revised.
        if lesson.published_at is not None and await self._admitted(caller.id, course_id):
            return
        raise problems.Forbidden("Enrol in the course to open its lessons.") if on_show else problems.NotFound

    async def _admitted(self, user_id: UUID, course_id: UUID) -> bool:
        asked = self._ctx.services.all(COURSE_ACCESS)
        answers = await asyncio.gather(*(self._ask(one, user_id, course_id) for one in asked))
        return any(answers)

    async def _ask(self, access: CourseAccess, user_id: UUID, course_id: UUID) -> bool:
        try:
            async with asyncio.timeout(self._ctx.settings.access_timeout):
                return await access.may_open(user_id, course_id) is True
        except Exception:
            self._ctx.log.exception(
                "access not answered", action="course_access", asked=type(access).__name__, course_id=str(course_id)
            )
            return False


def _works_on(person: Principal, offer: bytes) -> bool:
    return REVIEW in person.permissions or edits(person, decode_offer(offer).instructors)
