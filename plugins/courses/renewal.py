"""Rendering courses anew that show an old name: one after the other, each in a short transaction of its own.

Names that nobody has told yet are asked for again and again.
"""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.search import SubjectChanged
from kernel.contracts.users import USERS
from kernel.database import Command, Query
from plugins.courses.editing import LOCK_COURSE, refresh
from plugins.courses.instructors import NAMELESS, learn_name
from plugins.courses.settings import CoursesSettings
from plugins.courses.tables import courses, outdated

POLL: Final = 10.0  # seconds after which is looked for what a dead process has left
ASKING: Final = 5.0  # seconds between questions for the names of teachers that nobody has told yet

FURTHER: Final = Query(
    sa.select(outdated.c.course_id)
    .distinct()
    .where(outdated.c.course_id > bindparam("after"))
    .order_by(outdated.c.course_id)
    .limit(100),
    UUID,
)
#: Comes before the marks, as in the removal of a course, so that the two never wait in a circle.
HOLD: Final = Query(sa.select(courses.c.id).where(courses.c.id == bindparam("of_course")).with_for_update(), UUID)
#: Removes the marks whose cause the statements after it see.
RENEWED: Final = Command(sa.delete(outdated).where(outdated.c.course_id == bindparam("of_course")))


class Renewal:
    """Renders what is marked; a course that can not be rendered holds up no other."""

    def __init__(self, ctx: Context[CoursesSettings]) -> None:
        self._ctx = ctx
        self._marked = asyncio.Event()

    def wake(self) -> None:
        """Have it look for marks now."""
        self._marked.set()

    def run_in_background(self) -> None:
        """Render whatever is marked, and ask for names, until the plugin stops."""
        self._ctx.tasks.every(POLL, self.renew, name="renewal of courses", sooner=self._marked)
        self._ctx.tasks.every(ASKING, self.ask_for_names, name="names of teachers")

    async def renew(self) -> None:
        """Render every course that is marked."""
        marked = await self._ctx.db.all(FURTHER, after=UUID(int=0))
        while marked:
            for course_id in marked:
                await self._try(course_id)
            marked = await self._ctx.db.all(FURTHER, after=marked[-1])

    async def ask_for_names(self) -> None:
        """Ask for every name that is not known yet; have the courses rendered whose teachers have one now."""
        users = self._ctx.services.find(USERS)
        nameless = await self._ctx.db.all(NAMELESS, after=UUID(int=0)) if users else []
        while users and nameless:
            for person in (await users.people(nameless)).values():
                async with self._ctx.db.transaction() as session:
                    await learn_name(session, person.id, person.display_name)
                    session.after_commit(self.wake)
            nameless = await self._ctx.db.all(NAMELESS, after=nameless[-1])

    async def _try(self, course_id: UUID) -> None:
        try:
            await self._render(course_id)
        except Exception:
            self._ctx.log.exception("course not rendered; tried again later", action="renewal", course=str(course_id))

    async def _render(self, course_id: UUID) -> None:
        async with self._ctx.db.transaction() as session:
            await session.first(HOLD, of_course=course_id)
            if await session.run(RENEWED, of_course=course_id):
                await session.one(LOCK_COURSE, course_id=course_id, now=self._ctx.clock.now())
                await refresh(session, course_id)
                await self._ctx.events.publish(session, SubjectChanged(kind="course", subject_id=course_id))
