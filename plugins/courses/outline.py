"""The sections and lessons of a course, and their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import problems
from kernel.database import Command, Query
from plugins.courses.documents import Kind
from plugins.courses.tables import lessons, sections


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """A lesson with its content."""

    id: UUID
    section_id: UUID
    title: str
    kind: Kind
    preview: bool
    summary: str
    text: str  #: Markdown


_SECTION: Final = (sections.c.course_id == bindparam("of_course"), sections.c.id == bindparam("section"))
_LESSON: Final = (lessons.c.course_id == bindparam("of_course"), lessons.c.id == bindparam("lesson"))
_LESSON_COLUMNS: Final = tuple(lessons.c[name] for name in Lesson.__struct_fields__)


def _last(column: sa.Column[int], parent: sa.Column[UUID], value: str) -> sa.ScalarSelect[int]:
    siblings = column.table.alias()
    mine = siblings.c[parent.name] == bindparam(value, type_=parent.type)
    return sa.select(sa.func.coalesce(sa.func.max(siblings.c[column.name]), -1) + 1).where(mine).scalar_subquery()


ADD_SECTION: Final = Command(
    sa.insert(sections).values(
        id=bindparam("id"),
        course_id=bindparam("course_id"),
        title=bindparam("title"),
        position=_last(sections.c.position, sections.c.course_id, "course_id"),
    )
)
RENAME_SECTION: Final = Command(sa.update(sections).where(*_SECTION).values(title=bindparam("title")))
REMOVE_SECTION: Final = Command(sa.delete(sections).where(*_SECTION))
SECTION_EXISTS: Final = Query(sa.select(sections.c.id).where(*_SECTION), UUID)
SECTION_IDS: Final = Query(sa.select(sections.c.id).where(sections.c.course_id == bindparam("of_course")), UUID)
PLACE_SECTION: Final = Command(
    sa.update(sections).where(sections.c.id == bindparam("section")).values(position=bindparam("position"))
)

ADD_LESSON: Final = Command(
    sa.insert(lessons).values(
        id=bindparam("id"),
        course_id=bindparam("course_id"),
        section_id=bindparam("section_id"),
        title=bindparam("title"),
        kind=bindparam("kind"),
        preview=bindparam("preview"),
        summary=bindparam("summary"),
        text=bindparam("text"),
        position=_last(lessons.c.position, lessons.c.section_id, "section_id"),
    )
)
LESSON: Final = Query(sa.select(*_LESSON_COLUMNS).where(*_LESSON), Lesson)
CHANGE_LESSON: Final = Command(
    sa.update(lessons)
    .where(*_LESSON)
    .values({name: bindparam(name) for name in ("title", "preview", "summary", "text")})
)
MOVE_LESSON: Final = Command(
    sa.update(lessons)
    .where(*_LESSON)
    .values(
        section_id=bindparam("section_id"),
        position=_last(lessons.c.position, lessons.c.section_id, "section_id"),
    )
)
REMOVE_LESSON: Final = Command(sa.delete(lessons).where(*_LESSON))
LESSON_IDS: Final = Query(sa.select(lessons.c.id).where(lessons.c.section_id == bindparam("section")), UUID)
PLACE_LESSON: Final = Command(
    sa.update(lessons).where(lessons.c.id == bindparam("lesson")).values(position=bindparam("position"))
)


def check_order(present: Sequence[UUID], wanted: Sequence[UUID], field: str) -> None:
    """Refuse an order that does not name exactly what is *present*, each once.

    Raises:
        problems.Invalid: says what is missing, unknown or named twice.
    """
    known, named = set(present), set(wanted)
    faults = {
        "missing": sorted(known - named),
        "unknown": sorted(named - known),
        "named twice": sorted({one for one in wanted if wanted.count(one) > 1}) if len(named) < len(wanted) else [],
    }
    told = [f"{what}: {', '.join(map(str, ids[:5]))}" for what, ids in faults.items() if ids]
    if told:
        message = f"must list exactly what is there, each once; {'; '.join(told)}"
        raise problems.Invalid(fields=[problems.FieldError(field, message)])
