"""What of courses and their lessons can be found, and by whom: by those who may see it, and no word by others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.contracts.search import EVERYBODY, Document, Teacher, permitted, person
from kernel.database import Database, Query
from plugins.courses.documents import CourseDocument, LessonOutline
from plugins.courses.editing import EDIT_ANY, REVIEW
from plugins.courses.tables import course_instructors, courses

SUBJECTS: Final = Query(
    sa.select(courses.c.id)
    .where(courses.c.id > bindparam("after", type_=sa.Uuid()))
    .order_by(courses.c.id)
    .limit(bindparam("limit")),
    UUID,
)
DOCUMENTS: Final = Query(sa.select(courses.c.document).where(courses.c.id.in_(bindparam("ids", expanding=True))), bytes)
_OF_TEACHERS: Final = sa.select(course_instructors.c.course_id).where(
    course_instructors.c.user_id.in_(bindparam("ids", expanding=True))
)
TAUGHT: Final = Query(sa.select(courses.c.document).where(courses.c.id.in_(_OF_TEACHERS)).order_by(courses.c.id), bytes)
TEACHERS: Final = Query(
    sa.select(course_instructors.c.user_id)
    .distinct()
    .where(course_instructors.c.user_id > bindparam("after", type_=sa.Uuid()))
    .order_by(course_instructors.c.user_id)
    .limit(bindparam("limit")),
    UUID,
)
_FIRST: Final = UUID(int=0)
_decode: Final = msgspec.json.Decoder(CourseDocument).decode


class SearchableCourses:
    """Contributes to `searchable/1`."""

    kind = "course"

    def __init__(self, db: Database) -> None:
        self._db = db

    async def documents(self, subjects: Sequence[UUID]) -> Mapping[UUID, Sequence[Document]]:
        found = map(_decode, await self._db.all(DOCUMENTS, ids=list(subjects)))
        return {course.id: tuple(_documents(course)) for course in found}

    async def subjects(self, after: UUID | None, limit: int) -> Sequence[UUID]:
        return await self._db.all(SUBJECTS, after=_FIRST if after is None else after, limit=limit)


def _documents(course: CourseDocument) -> Iterator[Document]:
    readers = _readers(course)
    yield _course(course, readers)
    for section in course.sections:
        for lesson in section.lessons:
            yield _lesson(course, lesson, readers)


def _readers(course: CourseDocument) -> tuple[str, ...]:
    """Return who sees the course; its lessons' texts are for those who have access, and are not told at all."""
    if course.status == "published":
        return (EVERYBODY,)
    return (*(person(teacher.id) for teacher in course.instructors), permitted(REVIEW), permitted(EDIT_ANY))


def _course(course: CourseDocument, readers: tuple[str, ...]) -> Document:
    return Document(
        id=course.id,
        kind="course",
        title=course.title,
        path=f"/api/v1/courses/{course.id}",
        summary=course.summary,
        language=course.language,
        category=course.category,
        level=course.level,
        price=course.price,
        currency=course.currency,
        instructors=_teachers(course),
        published_at=course.published_at,
        readers=readers,
        text=course.description,
        words=course.tags,
    )


def _lesson(course: CourseDocument, lesson: LessonOutline, readers: tuple[str, ...]) -> Document:
    return Document(
        id=lesson.id,
        kind="lesson",
        title=lesson.title,
        path=f"/api/v1/courses/{course.id}/lessons/{lesson.id}",
        summary=lesson.summary,
        language=course.language,
        category=course.category,
        level=course.level,
        instructors=_teachers(course),
        published_at=course.published_at,
        readers=readers,
        text=course.title,
    )


def _teachers(course: CourseDocument) -> tuple[Teacher, ...]:
    return tuple(Teacher(id=teacher.id, name=teacher.name) for teacher in course.instructors)


class SearchableInstructors:
    """Contributes to `searchable/1`: who teaches something that everybody may see."""

    kind = "instructor"

    def __init__(self, db: Database) -> None:
        self._db = db

    async def documents(self, subjects: Sequence[UUID]) -> Mapping[UUID, Sequence[Document]]:
        wanted, taught = set(subjects), dict[UUID, list[CourseDocument]]()
        for course in map(_decode, await self._db.all(TAUGHT, ids=list(subjects))):
            for teacher in course.instructors:
                if teacher.id in wanted and teacher.name and course.status == "published":
                    taught.setdefault(teacher.id, []).append(course)
        return {user_id: (_instructor(user_id, courses),) for user_id, courses in taught.items()}

    async def subjects(self, after: UUID | None, limit: int) -> Sequence[UUID]:
        return await self._db.all(TEACHERS, after=_FIRST if after is None else after, limit=limit)


def _instructor(user_id: UUID, taught: Sequence[CourseDocument]) -> Document:
    name = next(teacher.name for teacher in taught[0].instructors if teacher.id == user_id)
    return Document(
        id=user_id,
        kind="instructor",
        title=name,
        path=f"/instructors/{user_id}",
        readers=(EVERYBODY,),
        text=" ".join(course.title for course in taught),
        words=tuple(sorted({course.category for course in taught if course.category})),
    )
