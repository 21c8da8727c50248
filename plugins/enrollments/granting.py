"""Giving and ending grants, with the events that tell of it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, problems
from kernel.contracts.enrollments import AccessEnded, GrantRevoked, UserEnrolled
from kernel.database import Command, Query, Session
from plugins.enrollments.access import GRANT_COLUMNS, GRANTS_OF, Grant, State, decide
from plugins.enrollments.purchases import REVOKED
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.tables import grants

ADD_GRANT: Final = Command(
    sa.insert(grants).values(
        {
            name: bindparam(name)
            for name in (
                "id",
                "user_id",
                "course_id",
                "source",
                "state",
                "reason",
                "granted_by",
                "starts_at",
                "ends_at",
                "created_at",
            )
        }
    )
)
GRANT: Final = Query(sa.select(*GRANT_COLUMNS).where(grants.c.id == bindparam("grant_id")), Grant)
#: Locks whatever a person has for a course, so that of two grants that end at once one is the last.
LOCK_GRANTS: Final = Query(
    sa.select(grants.c.id)
    .where(grants.c.user_id == bindparam("user_id"), grants.c.course_id == bindparam("course_id"))
    .order_by(grants.c.id)
    .with_for_update(),
    UUID,
)
SET_STATE: Final = Command(
    sa.update(grants)
    .where(grants.c.id == bindparam("grant_id"), grants.c.state == bindparam("before"))
    .values(state=bindparam("state"), reason=bindparam("reason"))
)
#: Grants whose time ran out and of which nobody was told.
EXPIRED: Final = Query(
    sa.select(*GRANT_COLUMNS)
    .where(grants.c.ends_at <= bindparam("now"), grants.c.ended_at.is_(None))
    .order_by(grants.c.ends_at)
    .limit(100),
    Grant,
)
TELL_END: Final = Command(
    sa.update(grants)
    .where(grants.c.id == bindparam("grant_id"), grants.c.ended_at.is_(None))
    .values(ended_at=bindparam("now"))
)


class Granting:
    """Changes grants inside the caller's transaction."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._events = ctx.events
        self._clock = ctx.clock

    async def give(self, session: Session, grant: Grant, granted_by: UUID) -> None:
        """Store a new grant."""
        await session.run(
            ADD_GRANT,
            **{name: getattr(grant, name) for name in Grant.__struct_fields__ if name != "purchase_id"},
            granted_by=granted_by,
        )
        await self._enrolled(session, grant)

    async def revoke(self, session: Session, grant: Grant, reason: str) -> None:
        """End *grant* for good; one that is revoked already stays as it is."""
        if grant.state != "revoked" and await self._set(session, grant, "revoked", reason):
            told = GrantRevoked(user_id=grant.user_id, course_id=grant.course_id, grant_id=grant.id, reason=reason)
            await self._events.publish(session, told)
            if grant.purchase_id is not None:
                await session.run(REVOKED, purchase_id=grant.purchase_id, reason=reason)
            await self._told_if_last(session, grant, reason)

    async def suspend(self, session: Session, grant: Grant, reason: str) -> None:
        """Take *grant* out until it is resumed.

        Raises:
            problems.Conflict: it is not active.
        """
        if grant.state != "active" or not await self._set(session, grant, "suspended", reason):
            raise problems.Conflict(f"The grant is {grant.state}; only an active one can be suspended.")
        await self._told_if_last(session, grant, reason)

    async def resume(self, session: Session, grant: Grant, reason: str) -> None:
        """Let a suspended *grant* count again.

        Raises:
            problems.Conflict: it is not suspended.
        """
        if grant.state != "suspended" or not await self._set(session, grant, "active", reason):
            raise problems.Conflict(f"The grant is {grant.state}; only a suspended one can be resumed.")
        await self._enrolled(session, grant)

    async def expire(self, session: Session, grant: Grant, now: datetime) -> None:
        """Tell that the time of *grant* ran out, once."""
        if await session.run(TELL_END, grant_id=grant.id, now=now) and grant.state == "active":
            await self._told_if_last(session, grant, "expired")

    async def _set(self, session: Session, grant: Grant, state: State, reason: str) -> bool:
        await session.all(LOCK_GRANTS, user_id=grant.user_id, course_id=grant.course_id)
        return bool(await session.run(SET_STATE, grant_id=grant.id, before=grant.state, state=state, reason=reason))

    async def _told_if_last(self, session: Session, grant: Grant, reason: str) -> None:
        left = await session.all(GRANTS_OF, user_id=grant.user_id, course_id=grant.course_id)
        if not decide(left, self._clock.now()).allowed:
            ended = AccessEnded(user_id=grant.user_id, course_id=grant.course_id, reason=reason)
            await self._events.publish(session, ended)

    async def _enrolled(self, session: Session, grant: Grant) -> None:
        told = UserEnrolled(user_id=grant.user_id, course_id=grant.course_id, grant_id=grant.id, source=grant.source)
        await self._events.publish(session, told)
