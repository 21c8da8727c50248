"""The terms of a course: how many people may take it."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, Request, problems
from kernel.contracts.audit import act
from kernel.database import Command, Session
from plugins.enrollments.bodies import Body
from plugins.enrollments.recounting import ENTITLED, recount
from plugins.enrollments.seats import LIMIT, LOCK_LIMIT, Limit
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.tables import seats, terms


class NewTerms(Body, frozen=True, kw_only=True):
    """How many people may take a course at once; null for any number."""

    seats: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None


class CourseTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How many people may take a course at once, and how many do."""

    course_id: UUID
    seats: int | None  #: None for any number
    taken: int


_COURSE: Final = bindparam("course_id", type_=sa.Uuid())

#: Whoever is to act on a course's limit locks its row, and so holds the table, also where there is no row. So this
#: waits for those who saw none, and whoever comes later sees what this transaction leaves. Whoever only reads, a backup
#: say, is in nobody's way. SQLite has one writer at a time.
LOCK_TERMS: Final = Command(sa.text("LOCK TABLE terms IN EXCLUSIVE MODE"))
ADD_LIMIT: Final = Command(
    sa.insert(terms).values(course_id=_COURSE, seats=bindparam("number"), taken=sa.literal_column("0"))
)
CHANGE_LIMIT: Final = Command(sa.update(terms).where(terms.c.course_id == _COURSE).values(seats=bindparam("number")))
LIFT_LIMIT: Final = Command(sa.delete(terms).where(terms.c.course_id == _COURSE))
EMPTY_COURSE: Final = Command(sa.delete(seats).where(seats.c.course_id == _COURSE))


class Terms:
    """Sets and shows the terms of courses."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx

    async def of(self, course_id: UUID) -> CourseTerms:
        """Return the terms of the course; of one without a limit *taken* is counted now."""
        limit = await self._ctx.db.first(LIMIT, course_id=course_id)
        if limit is not None:
            return CourseTerms(course_id=course_id, seats=limit.seats, taken=limit.taken)
        taken = await self._ctx.db.one(ENTITLED, course_id=course_id)
        return CourseTerms(course_id=course_id, seats=None, taken=taken)

    async def set(self, course_id: UUID, new: NewTerms, request: Request) -> CourseTerms:
        """Give the course another number of seats. Nobody loses a seat; with fewer than are taken, nobody gets one.

        Raises:
            problems.Conflict: somebody else is changing them; nothing was changed.
        """
        introduce = new.seats is not None and await self._ctx.db.first(LIMIT, course_id=course_id) is None
        async with self._ctx.db.transaction() as session:
            if introduce:
                await self._close_doors(session)
            limit = await session.first(LOCK_LIMIT, course_id=course_id)
            if introduce != (limit is None and new.seats is not None):
                raise problems.Conflict("Somebody else has just changed the seats; look at them, and set yours again.")
            await self._change(session, course_id, limit, new.seats)
            before = None if limit is None else limit.seats
            if before != new.seats:
                await self._record(session, course_id, before, new.seats, request)
        return await self.of(course_id)

    async def _close_doors(self, session: Session) -> None:
        if self._ctx.db.dialect == "postgresql":
            await session.run(LOCK_TERMS)

    async def _change(self, session: Session, course_id: UUID, limit: Limit | None, number: int | None) -> None:
        if number is None:
            await session.run(LIFT_LIMIT, course_id=course_id)
            await session.run(EMPTY_COURSE, course_id=course_id)
        elif limit is None:
            await session.run(ADD_LIMIT, course_id=course_id, number=number)
            await recount(session, course_id)
        else:
            await session.run(CHANGE_LIMIT, course_id=course_id, number=number)

    async def _record(
        self, session: Session, course_id: UUID, before: int | None, after: int | None, request: Request
    ) -> None:
        told = act(
            request,
            "enrollments.set_terms",
            f"course:{course_id}",
            before={"seats": before},
            after={"seats": after},
        )
        await self._ctx.events.publish(session, told)
