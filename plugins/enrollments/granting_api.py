"""The routes by which access is given, taken and explained, and one's own enrolments are listed."""

from __future__ import annotations

from uuid import UUID

import msgspec

from kernel import Begin, Context, Page, PageQuery, Request, new_id, page, problems
from kernel.contracts.audit import act
from kernel.contracts.courses import COURSES
from kernel.contracts.users import USERS
from kernel.database import Session
from plugins.enrollments import lists
from plugins.enrollments.access import GRANTS_OF, Explanation, Grant, State, explain
from plugins.enrollments.bodies import ExplainQuery, NewGrant, WithReason
from plugins.enrollments.granting import GRANT, Granting
from plugins.enrollments.lists import Enrollment, place
from plugins.enrollments.permissions import MANAGE
from plugins.enrollments.settings import EnrollmentsSettings


class GrantingApi:
    """Answers who has access to what, and lets administrators decide about it."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._ctx = ctx
        self._granting = ctx.own(Granting)

    async def mine(self, request: Request, query: PageQuery) -> Page[Enrollment]:
        """List the courses that the caller has access to, the newest first."""
        after = place(query)
        now, limit = self._ctx.clock.now(), query.limit + 1
        rows = await self._ctx.db.all(
            lists.own(further=bool(after)), user_id=request.principal.id, now=now, limit=limit, **after
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

    async def grant(self, request: Request, body: NewGrant, begin: Begin) -> Grant:
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
        session = await begin()
        await self._granting.give(session, grant, granted_by=request.principal.id)
        await self._record(session, request, "enrollments.grant", grant, after=_facts(grant))
        return grant

    async def revoke(self, request: Request, grant_id: UUID, body: WithReason, session: Session) -> Grant:
        """End a grant for good, saying why."""
        before = await self._granting.revoke(session, await _grant(session, grant_id), body.reason)
        return await self._changed(session, request, "enrollments.revoke_grant", grant_id, before)

    async def suspend(self, request: Request, grant_id: UUID, body: WithReason, session: Session) -> Grant:
        """Take a grant out until it is resumed, saying why."""
        before = await self._granting.suspend(session, await _grant(session, grant_id), body.reason)
        return await self._changed(session, request, "enrollments.suspend_grant", grant_id, before)

    async def resume(self, request: Request, grant_id: UUID, body: WithReason, session: Session) -> Grant:
        """Let a suspended grant count again, saying why."""
        before = await self._granting.resume(session, await _grant(session, grant_id), body.reason)
        return await self._changed(session, request, "enrollments.resume_grant", grant_id, before)

    async def _changed(self, session: Session, request: Request, action: str, grant_id: UUID, before: State) -> Grant:
        """Return the grant as it is now, and record the act if it was in another state before."""
        grant = await _grant(session, grant_id)
        if grant.state != before:
            await self._record(session, request, action, grant, {"state": before}, {"state": grant.state})
        return grant

    async def _record(
        self,
        session: Session,
        request: Request,
        action: str,
        grant: Grant,
        before: dict[str, object] | None = None,
        after: dict[str, object] | None = None,
    ) -> None:
        subject, person = f"grant:{grant.id}", grant.user_id
        told = act(request, action, subject, before=before, after=after, reason=grant.reason, about=person)
        await self._ctx.events.publish(session, told)

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


def _facts(grant: Grant) -> dict[str, object]:
    names = ("user_id", "course_id", "source", "starts_at", "ends_at")
    facts: dict[str, object] = msgspec.to_builtins({name: getattr(grant, name) for name in names})
    return facts
