"""The routes by which instructors see who takes their courses, and set how many may."""

from __future__ import annotations

from uuid import UUID

from kernel import Context, Page, PageQuery, Request, page, problems
from kernel.contracts.courses import COURSES
from kernel.contracts.users import USERS
from plugins.enrollments import lists
from plugins.enrollments.lists import RosterEntry, place
from plugins.enrollments.permissions import MANAGE
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.terms import CourseTerms, NewTerms, Terms


class CoursesApi:
    """Answers those who teach a course, and those who manage enrolments."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._terms = ctx.own(Terms)

    async def roster(self, request: Request, course_id: UUID, query: PageQuery) -> Page[RosterEntry]:
        """List who has access to a course, for its instructors and for who manages enrolments."""
        if MANAGE not in request.principal.permissions:  # who may also look at the people of a course that is gone
            await self._require_taught(request, course_id)
        after = place(query)
        now, limit = self._ctx.clock.now(), query.limit + 1
        rows = await self._ctx.db.all(
            lists.roster(further=bool(after)), course_id=course_id, now=now, limit=limit, **after
        )
        found = page(rows, query, lambda row: row.grant_id)
        users = self._ctx.services.find(USERS)
        people = await users.people([row.user_id for row in found.items]) if users and found.items else {}
        return Page([lists.named(row, people) for row in found.items], found.next)

    async def terms(self, request: Request, course_id: UUID) -> CourseTerms:
        """Show how many people may take a course, and how many do."""
        await self._require_taught(request, course_id)
        return await self._terms.of(course_id)

    async def set_terms(self, request: Request, course_id: UUID, body: NewTerms) -> CourseTerms:
        """Set how many people may take a course; nobody who takes it loses it."""
        await self._require_taught(request, course_id)
        return await self._terms.set(course_id, body, request)

    async def _require_taught(self, request: Request, course_id: UUID) -> None:
        """Refuse a course that there is not, or that the caller has nothing to do with."""
        person = request.principal
        offer = await self._ctx.services.get(COURSES).offer(course_id)
        if offer is None or (MANAGE not in person.permissions and person.id not in offer.instructors):
            raise problems.NotFound
