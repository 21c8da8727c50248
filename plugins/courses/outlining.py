"""The routes by which sections and lessons are made, changed and put in order."""

from __future__ import annotations

from uuid import UUID

import msgspec

from kernel import Context, Event, Request, new_id, problems
from kernel.contracts.courses import (
    CourseReordered,
    LessonAdded,
    LessonChanged,
    LessonRemoved,
    SectionAdded,
    SectionChanged,
    SectionRemoved,
)
from kernel.database import Session
from plugins.courses import outline
from plugins.courses.bodies import LessonChange, LessonOrder, NewLesson, SectionBody, SectionOrder, given
from plugins.courses.documents import SectionRow
from plugins.courses.editing import Shown, lock, save, shown
from plugins.courses.outline import Lesson
from plugins.courses.oversight import Overseen, oversee
from plugins.courses.settings import CoursesSettings


class OutlineApi:
    """Lets instructors arrange what their courses are made of."""

    def __init__(self, ctx: Context[CoursesSettings]) -> None:
        self._ctx = ctx

    async def add_section(self, request: Request, course_id: UUID, body: SectionBody, session: Session) -> SectionRow:
        """Add a section at the end of the course."""
        seen = await self._lock(session, request, course_id)
        section = SectionRow(id=new_id(), title=body.title)
        await session.run(outline.ADD_SECTION, id=section.id, course_id=course_id, title=body.title)
        told = SectionAdded(course_id=course_id, section_id=section.id, title=body.title)
        await self._finish(seen, "add_section", session, course_id, told)
        return section

    async def change_section(
        self, request: Request, course_id: UUID, section_id: UUID, body: SectionBody, session: Session
    ) -> SectionRow:
        """Give a section another title."""
        seen = await self._lock(session, request, course_id)
        _require(await session.run(outline.RENAME_SECTION, of_course=course_id, section=section_id, title=body.title))
        told = SectionChanged(course_id=course_id, section_id=section_id, title=body.title)
        await self._finish(seen, "change_section", session, course_id, told)
        return SectionRow(id=section_id, title=body.title)

    async def remove_section(self, request: Request, course_id: UUID, section_id: UUID, session: Session) -> None:
        """Remove a section and its lessons."""
        seen = await self._lock(session, request, course_id)
        removed = await session.all(outline.LESSON_IDS, section=section_id)
        _require(await session.run(outline.REMOVE_SECTION, of_course=course_id, section=section_id))
        told = [LessonRemoved(course_id=course_id, lesson_id=lesson_id) for lesson_id in removed]
        await self._finish(
            seen,
            "remove_section",
            session,
            course_id,
            *told,
            SectionRemoved(course_id=course_id, section_id=section_id),
        )

    async def order_sections(self, request: Request, course_id: UUID, body: SectionOrder, session: Session) -> Shown:
        """Put the sections of the course in another order."""
        seen = await self._lock(session, request, course_id)
        present = await session.all(outline.SECTION_IDS, of_course=course_id)
        outline.check_order(present, body.section_ids, "body.section_ids")
        places = [{"section": one, "position": place} for place, one in enumerate(body.section_ids)]
        await session.run_many(outline.PLACE_SECTION, places)
        return await self._finish(seen, "order_sections", session, course_id, CourseReordered(course_id=course_id))

    async def add_lesson(
        self, request: Request, course_id: UUID, section_id: UUID, body: NewLesson, session: Session
    ) -> Lesson:
        """Add a lesson at the end of a section."""
        seen = await self._lock(session, request, course_id)
        await _require_section(session, course_id, section_id)
        lesson = Lesson(id=new_id(), section_id=section_id, **msgspec.structs.asdict(body))
        _check_text(lesson)
        await session.run(outline.ADD_LESSON, course_id=course_id, **msgspec.structs.asdict(lesson))
        told = LessonAdded(
            course_id=course_id,
            section_id=section_id,
            lesson_id=lesson.id,
            title=lesson.title,
            kind=lesson.kind,
            preview=lesson.preview,
        )
        await self._finish(seen, "add_lesson", session, course_id, told)
        return lesson

    async def change_lesson(
        self, request: Request, course_id: UUID, lesson_id: UUID, body: LessonChange, session: Session
    ) -> Lesson:
        """Change a lesson, or move it to the end of another section."""
        seen = await self._lock(session, request, course_id)
        lesson = await session.first(outline.LESSON, of_course=course_id, lesson=lesson_id)
        if lesson is None:
            raise problems.NotFound
        changed = msgspec.structs.replace(lesson, **given(body))
        _check_text(changed)
        if changed.section_id != lesson.section_id:
            await self._move(session, course_id, changed)
        await session.run(
            outline.CHANGE_LESSON,
            of_course=course_id,
            lesson=lesson_id,
            title=changed.title,
            preview=changed.preview,
            summary=changed.summary,
            text=changed.text,
        )
        texts = (lesson.text, changed.text)
        await self._finish(seen, "change_lesson", session, course_id, _told(course_id, changed), texts=texts)
        return changed

    async def remove_lesson(self, request: Request, course_id: UUID, lesson_id: UUID, session: Session) -> None:
        """Remove a lesson."""
        seen = await self._lock(session, request, course_id)
        _require(await session.run(outline.REMOVE_LESSON, of_course=course_id, lesson=lesson_id))
        await self._finish(
            seen, "remove_lesson", session, course_id, LessonRemoved(course_id=course_id, lesson_id=lesson_id)
        )

    async def order_lessons(
        self, request: Request, course_id: UUID, section_id: UUID, body: LessonOrder, session: Session
    ) -> Shown:
        """Put the lessons of a section in another order."""
        seen = await self._lock(session, request, course_id)
        await _require_section(session, course_id, section_id)
        present = await session.all(outline.LESSON_IDS, section=section_id)
        outline.check_order(present, body.lesson_ids, "body.lesson_ids")
        places = [{"lesson": one, "position": place} for place, one in enumerate(body.lesson_ids)]
        await session.run_many(outline.PLACE_LESSON, places)
        return await self._finish(seen, "order_lessons", session, course_id, CourseReordered(course_id=course_id))

    async def _move(self, session: Session, course_id: UUID, lesson: Lesson) -> None:
        found = await session.first(outline.SECTION_EXISTS, of_course=course_id, section=lesson.section_id)
        if found is None:
            raise problems.Invalid(fields=[problems.FieldError("body.section_id", "is not a section of this course")])
        await session.run(outline.MOVE_LESSON, of_course=course_id, lesson=lesson.id, section_id=lesson.section_id)
        await self._ctx.events.publish(session, CourseReordered(course_id=course_id))

    async def _lock(self, session: Session, request: Request, course_id: UUID) -> Overseen | None:
        return await oversee(session, request, await lock(session, request, course_id, self._ctx.clock.now()))

    async def _finish(
        self,
        seen: Overseen | None,
        act: str,
        session: Session,
        course_id: UUID,
        *events: Event,
        texts: tuple[str, str] | None = None,
    ) -> Shown:
        rendered = await save(session, course_id)
        for event in events:
            await self._ctx.events.publish(session, event)
        if seen is not None:
            await seen.record(self._ctx, session, f"courses.{act}", rendered.document, texts=texts)
        return shown(rendered)


def _told(course_id: UUID, changed: Lesson) -> LessonChanged:
    return LessonChanged(
        course_id=course_id,
        lesson_id=changed.id,
        title=changed.title,
        kind=changed.kind,
        preview=changed.preview,
    )


def _require(affected: int) -> None:
    if not affected:
        raise problems.NotFound


async def _require_section(session: Session, course_id: UUID, section_id: UUID) -> None:
    if await session.first(outline.SECTION_EXISTS, of_course=course_id, section=section_id) is None:
        raise problems.NotFound


def _check_text(lesson: Lesson) -> None:
    if lesson.text and lesson.kind != "article":
        message = f"belongs to articles; this lesson is of kind '{lesson.kind}'"
        raise problems.Invalid(fields=[problems.FieldError("body.text", message)])
