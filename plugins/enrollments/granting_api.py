"""The routes by which access is given, taken and explained, and enrolments are listed."""

from __future__ import annotations

from uuid import UUID

from kernel import Context, Page, PageQuery, Request, new_id, page, problems
from kernel.contracts.courses import COURSES
from kernel.contracts.users import USERS
from kernel.database import Session
from plugins.enrollments import lists
from plugins.enrollments.access import GRANTS_OF, Explanation, Grant, explain
from plugins.enrollments.bodies import ExplainQuery, NewGrant, WithReason
from plugins.enrollments.granting import GRANT, Granting
from plugins.enrollments.lists import Enrollment, RosterEntry
from plugins.enrollments.permissions import MANAGE
from plugins.enrollments.settings import EnrollmentsSettings


class GrantingApi:
    """Answers who has access to what, and lets administrators decide about it."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._granting = ctx.own(Granting)

    async def mine(self, request: Request, query: PageQuery) -> Page[Enrollment]:
        """List the courses that the caller has access to, the newest first."""
        place = _after(query)
        now, limit = self._ctx.clock.now(), query.limit + 1
        rows = await self._ctx.db.all(
            lists.own(further=bool(place)), user_id=request.principal.id, now=now, limit=limit, **place
        )
        return page(rows, query, lambda row: row.grant_id)

    async def explain(self, request: Request, query: ExplainQuery) -> Explanation:
        """Tell whether a person may open a course, and what each grant has to do with it."""
        person = request.principal
        user_id = query.user_id if isinstance(query.user_id, UUID) else person.id
        if user_id != person.id and MANAGE not in person.permissions:
            raise problems.Forbidden("Only who manages enrolments may ask about others.")
        found = await self._ctx.db.all(GRANTS_OF, user_id=user_id, course_id=query.course_id)
        return explain(user_id, query.course_id, found, self._ctx.clock.now())

    async def roster(self, request: Request, course_id: UUID, query: PageQuery) -> Page[RosterEntry]:
        """List who has access to a course, for its instructors and for who manages enrolments."""
        await self._require_instructor(request, course_id)
        place = _after(query)
        now, limit = self._ctx.clock.now(), query.limit + 1
        rows = await self._ctx.db.all(
            lists.roster(further=bool(place)), course_id=course_id, now=now, limit=limit, **place
        )
        found = page(rows, query, lambda row: row.grant_id)
        users = self._ctx.services.find(USERS)
        people = await users.people([row.user_id for row in found.items]) if users and found.items else {}
        return Page([lists.named(row, people) for row in found.items], found.next)

    async def grant(self, request: Request, body: NewGrant, session: Session) -> Grant:
        """Give a person access to a course."""
        await self._require_existing(body)
        now = self._ctx.clock.now()
        if body.ends_at is not None and body.ends_at <= now:
            raise problems.Invalid(fields=[problems.FieldError("body.ends_at", "is past; choose a later moment")])
        grant = Grant(
            id=new_id(),
            user_id=body.user_id,
            course_id=body.course_id,
            source=body.source,
            state="active",
            reason=body.reason,
            purchase_id=None,
            starts_at=body.starts_at or now,
            ends_at=body.ends_at,
            created_at=now,
        )
        await self._granting.give(session, grant, granted_by=request.principal.id)
        return grant

    async def revoke(self, grant_id: UUID, body: WithReason, session: Session) -> Grant:
        """End a grant for good, saying why."""
        await self._granting.revoke(session, await _grant(session, grant_id), body.reason)
        return await _grant(session, grant_id)

    async def suspend(self, grant_id: UUID, body: WithReason, session: Session) -> Grant:
        """Take a grant out until it is resumed, saying why."""
        await self._granting.suspend(session, await _grant(session, grant_id), body.reason)
        return await _grant(session, grant_id)

    async def resume(self, grant_id: UUID, body: WithReason, session: Session) -> Grant:
        """Let a suspended grant count again, saying why."""
        await self._granting.resume(session, await _grant(session, grant_id), body.reason)
        return await _grant(session, grant_id)

    async def _require_instructor(self, request: Request, course_id: UUID) -> None:
        person = request.principal
        if MANAGE in person.permissions:
            return
        offer = await self._ctx.services.get(COURSES).offer(course_id)
        if offer is None or person.id not in offer.instructors:
            raise problems.NotFound

    async def _require_existing(self, body: NewGrant) -> None:
        if await self._ctx.services.get(COURSES).offer(body.course_id) is None:
            raise problems.Invalid(fields=[problems.FieldError("body.course_id", "is no course's id")])
        users = self._ctx.services.find(USERS)
        if users is not None and body.user_id not in await users.people([body.user_id]):
            raise problems.Invalid(fields=[problems.FieldError("body.user_id", "is nobody's id")])


async def _grant(session: Session, grant_id: UUID) -> Grant:
    found = await session.first(GRANT, grant_id=grant_id)
    if found is None:
        raise problems.NotFound
    return found


def _after(query: PageQuery) -> dict[str, object]:
    after = query.after(UUID)
    return {} if after is None else {"after_id": after}
