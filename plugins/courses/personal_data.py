"""Who teaches: the name on courses, which goes, and the courses, which stay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, errors, new_id
from kernel.contracts.personal_data import Document, Kept, Receipt, Subject, document
from kernel.database import Command, Query
from plugins.courses.instructors import OUTDATE
from plugins.courses.renewal import Renewal
from plugins.courses.settings import CoursesSettings
from plugins.courses.tables import course_instructors, courses, outdated, people

_PERSON: Final = bindparam("person", type_=sa.Uuid())
NAME: Final = Query(sa.select(people.c.display_name).where(people.c.user_id == _PERSON), str)
FORGET_NAME: Final = Command(sa.delete(people).where(people.c.user_id == _PERSON))


class _Taught(msgspec.Struct, frozen=True):
    id: UUID
    document: bytes


TAUGHT: Final = Query(
    sa.select(courses.c.id, courses.c.document)
    .join(course_instructors, course_instructors.c.course_id == courses.c.id)
    .where(course_instructors.c.user_id == _PERSON, course_instructors.c.course_id > bindparam("after"))
    .order_by(course_instructors.c.course_id)
    .limit(100),
    _Taught,
)
#: Of the marks of this erasure alone: others at the same moment mark the same courses and look after them.
STILL_SHOWN: Final = Query(
    sa.select(sa.func.count().label("count"))
    .select_from(course_instructors)
    .join(outdated, outdated.c.course_id == course_instructors.c.course_id)
    .where(course_instructors.c.user_id == _PERSON, outdated.c.event_id == bindparam("mark", type_=sa.Uuid())),
    int,
)

RECEIPT: Final = Receipt(
    erased=("your name on courses",),
    kept=(Kept(what="courses that you made or taught, without your name", why="people learn with them"),),
)


class NameStillShown(errors.LyceumError):
    """A course that shows the name could not be rendered anew; the log says why. It is tried again."""


class CoursesPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[CoursesSettings]) -> None:
        self._db = ctx.db
        self._renewal = ctx.own(Renewal)

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        name = await self._db.first(NAME, person=subject.user_id)
        if name is not None:
            yield document("name.json", {"display_name": name})
        after = UUID(int=0)
        while taught := await self._db.all(TAUGHT, person=subject.user_id, after=after):
            after = taught[-1].id
            for course in taught:
                yield document(f"courses/{course.id}.json", msgspec.Raw(course.document))

    async def erase(self, subject: Subject) -> Receipt:
        mark = new_id()
        async with self._db.transaction() as session:
            await session.run(FORGET_NAME, person=subject.user_id)
            await session.run(OUTDATE, person=subject.user_id, event_id=mark)
        await self._renewal.renew()
        if await self._db.one(STILL_SHOWN, person=subject.user_id, mark=mark):
            raise NameStillShown(str(NameStillShown.__doc__))
        return RECEIPT
