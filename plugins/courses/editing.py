"""Changing a course: lock its row, let the change happen, render it anew, all in one transaction.

The row is locked first by raising its version, so that changes of one course come one after another and each
renders what all before it have left.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Answer, Encoded, Principal, Request, etag_of, problems, require_match
from kernel.database import Command, Query, Session
from plugins.courses.documents import (
    CourseDocument,
    CourseRow,
    InstructorView,
    LessonRow,
    Parts,
    Rendered,
    SectionRow,
    missing,
    render,
)
from plugins.courses.states import COMPLETE
from plugins.courses.tables import course_instructors, course_tags, courses, lessons, people, sections

#: A course as it stands after a change, with the tag that `If-Match` wants for the next one.
Shown = Answer[Encoded[CourseDocument]]

CREATE: Final = "courses.create"
EDIT_ANY: Final = "courses.edit_any"
REVIEW: Final = "courses.review"

MAX_SECTIONS: Final = 200
MAX_LESSONS: Final = 500
MAX_INSTRUCTORS: Final = 20

_FACTS: Final = tuple(courses.c[name] for name in CourseRow.__struct_fields__)

LOCK_COURSE: Final = Query(
    sa.update(courses)
    .where(courses.c.id == bindparam("course_id"))
    .values(version=courses.c.version + 1, updated_at=bindparam("now"))
    .returning(*_FACTS),
    CourseRow,
)
COURSE_ROW: Final = Query(sa.select(*_FACTS).where(courses.c.id == bindparam("course_id")), CourseRow)
DOCUMENT_OF: Final = Query(sa.select(courses.c.document).where(courses.c.id == bindparam("course_id")), bytes)
TAGS_OF: Final = Query(
    sa.select(course_tags.c.tag).where(course_tags.c.course_id == bindparam("course_id")).order_by(course_tags.c.tag),
    str,
)
INSTRUCTORS_OF: Final = Query(
    sa.select(
        course_instructors.c.user_id.label("id"),
        sa.func.coalesce(people.c.display_name, "").label("name"),
    )
    .select_from(course_instructors.outerjoin(people, people.c.user_id == course_instructors.c.user_id))
    .where(course_instructors.c.course_id == bindparam("course_id"))
    .order_by(course_instructors.c.position, course_instructors.c.user_id),
    InstructorView,
)
SECTIONS_OF: Final = Query(
    sa.select(sections.c.id, sections.c.title)
    .where(sections.c.course_id == bindparam("course_id"))
    .order_by(sections.c.position, sections.c.id),
    SectionRow,
)
LESSONS_OF: Final = Query(
    sa.select(*(lessons.c[name] for name in LessonRow.__struct_fields__))
    .where(lessons.c.course_id == bindparam("course_id"))
    .order_by(lessons.c.position, lessons.c.id),
    LessonRow,
)
SAVE_RENDERED: Final = Command(
    sa.update(courses)
    .where(courses.c.id == bindparam("course_id"))
    .values(card=bindparam("card"), document=bindparam("document"), offer=bindparam("offer"))
)


def edits(person: Principal, instructors: tuple[UUID, ...]) -> bool:
    """Return whether *person* may change a course that *instructors* teach."""
    return person.id in instructors or EDIT_ANY in person.permissions


async def lock(session: Session, request: Request, course_id: UUID, now: datetime) -> CourseRow:
    """Lock the course for a change by the caller, who is one of its instructors or may edit any.

    Raises:
        problems.NotFound: there is no such course, or it is another's.
        problems.PreconditionFailed: the caller has not seen its present state.
    """
    course = await lock_any(session, request, course_id, now)
    if not edits(request.principal, course.instructors()):
        raise problems.NotFound
    return course


async def lock_any(session: Session, request: Request, course_id: UUID, now: datetime) -> CourseRow:
    """Lock the course, whoever teaches it.

    Raises:
        problems.NotFound: there is no such course.
        problems.PreconditionFailed: the caller has not seen its present state.
    """
    course = await session.first(LOCK_COURSE, course_id=course_id, now=now)
    if course is None:
        raise problems.NotFound
    if "If-Match" in request.http.headers:
        require_match(request.http, etag_of(await session.one(DOCUMENT_OF, course_id=course_id)))
    return course


async def parts_of(session: Session, course_id: UUID) -> Parts:
    """Return all of the course that stands in other rows than its own."""
    return Parts(
        tags=await session.all(TAGS_OF, course_id=course_id),
        instructors=await session.all(INSTRUCTORS_OF, course_id=course_id),
        sections=await session.all(SECTIONS_OF, course_id=course_id),
        lessons=await session.all(LESSONS_OF, course_id=course_id),
    )


async def save(session: Session, course_id: UUID) -> Rendered:
    """Check the locked course as it stands now, and render it.

    Raises:
        problems.Conflict: it holds more than a course may.
        problems.Invalid: it lacks what a course in its state must have.
    """
    course = await session.one(COURSE_ROW, course_id=course_id)
    parts = await parts_of(session, course_id)
    _check_size(parts)
    if course.status in COMPLETE:
        _require_complete(course, parts)
    return await _store(session, render(course, parts), course_id)


async def refresh(session: Session, course_id: UUID) -> None:
    """Render the locked course anew, which is not changed itself."""
    course = await session.one(COURSE_ROW, course_id=course_id)
    await _store(session, render(course, await parts_of(session, course_id)), course_id)


def shown(rendered: Rendered) -> Shown:
    """Return the answer to a change."""
    return Answer(Encoded(rendered.document), headers={"ETag": etag_of(rendered.document)})


async def _store(session: Session, rendered: Rendered, course_id: UUID) -> Rendered:
    await session.run(
        SAVE_RENDERED, course_id=course_id, card=rendered.card, document=rendered.document, offer=rendered.offer
    )
    return rendered


def _require_complete(course: CourseRow, parts: Parts) -> None:
    lacking = missing(course, parts)
    if lacking:
        raise problems.Invalid(
            f"Learners need: {', '.join(lacking)}.",
            fields=[problems.FieldError(f"course.{name}", "is missing; learners need it") for name in lacking],
        )


def _check_size(parts: Parts) -> None:
    limits = (
        ("sections", len(parts.sections), MAX_SECTIONS),
        ("lessons", len(parts.lessons), MAX_LESSONS),
        ("instructors", len(parts.instructors), MAX_INSTRUCTORS),
    )
    for name, count, limit in limits:
        if count > limit:
            raise problems.Conflict(f"A course holds at most {limit} {name}; remove one before you add another.")
