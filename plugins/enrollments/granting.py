"""Giving and ending grants, with the events that tell of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, problems
from kernel.contracts.enrollments import AccessEnded, GrantRevoked, GrantWaits, UserEnrolled
from kernel.database import Command, Query, Session
from plugins.enrollments.access import GRANT_COLUMNS, Grant, State, why
from plugins.enrollments.purchases import REVOKED
from plugins.enrollments.seats import Seats
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
                "announce_at",
            )
        }
    )
)


class Held(Grant, frozen=True, kw_only=True):
    """A grant, and whether the last that was told of it is that the person has it."""

    told: bool


_OF_PERSON: Final = (grants.c.user_id == bindparam("user_id"), grants.c.course_id == bindparam("course_id"))
_ID: Final = grants.c.id == bindparam("grant_id")
_ACTIVE: Final = grants.c.state == sa.literal_column("'active'")
_UNANNOUNCED: Final = grants.c.announce_at.is_not(None)
_UNENDED: Final = grants.c.ended_at.is_(None)

GRANT: Final = Query(sa.select(*GRANT_COLUMNS).where(_ID), Grant)
#: Locks whatever a person has for a course, so that of two grants that end at once one is the last.
LOCK_GRANTS: Final = Query(
    sa.select(grants.c.id).where(*_OF_PERSON).order_by(grants.c.id).with_for_update(),
    UUID,
)
HELD: Final = Query(
    sa.select(*GRANT_COLUMNS, sa.and_(_ACTIVE, ~_UNANNOUNCED, _UNENDED).label("told")).where(*_OF_PERSON), Held
)
SET_STATE: Final = Command(
    sa.update(grants)
    .where(_ID, grants.c.state == bindparam("before"))
    .values(state=bindparam("state"), reason=bindparam("reason"))
)
#: Grants that count by now and of which nobody was told.
BEGUN: Final = Query(
    sa.select(*GRANT_COLUMNS)
    .where(
        grants.c.announce_at <= bindparam("now"),
        _UNANNOUNCED,
        _ACTIVE,
        _UNENDED,
        sa.or_(grants.c.ends_at.is_(None), grants.c.ends_at > bindparam("now")),
    )
    .order_by(grants.c.announce_at)
    .limit(100),
    Grant,
)
TELL_BEGINNING: Final = Command(sa.update(grants).where(_ID, _UNANNOUNCED, _ACTIVE).values(announce_at=None))
#: Grants whose time ran out and of which nobody was told.
EXPIRED: Final = Query(
    sa.select(*GRANT_COLUMNS)
    .where(grants.c.ends_at <= bindparam("now"), _UNENDED)
    .order_by(grants.c.ends_at)
    .limit(100),
    Grant,
)
TELL_END: Final = Command(sa.update(grants).where(_ID, _UNENDED).values(ended_at=bindparam("now")))


class Granting:
    """Changes grants inside the caller's transaction.

    `UserEnrolled` is told whenever a grant begins to count, `GrantWaits` before that of one that begins later, and
    `AccessEnded` when the last one whose beginning was told of is gone.
    """

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._events = ctx.events
        self._clock = ctx.clock
        self._seats = ctx.own(Seats)

    async def give(self, session: Session, grant: Grant, granted_by: UUID) -> None:
        """Store a new grant, with a seat unless it is staff's; of one that begins later it is told that it waits.

        Raises:
            CourseFull: every seat is taken.
        """
        begins_later = why(grant, self._clock.now()) == "not-started"
        await session.run(
            ADD_GRANT,
            **{name: getattr(grant, name) for name in Grant.__struct_fields__ if name != "purchase_id"},
            granted_by=granted_by,
            announce_at=grant.starts_at if begins_later else None,
        )
        if grant.source != "staff":
            await self._seats.take(session, grant.course_id, grant.user_id)
        await (self._waits if begins_later else self._enrolled)(session, grant)

    async def revoke(self, session: Session, grant: Grant, reason: str) -> State:
        """End *grant* for good; one that is revoked already stays as it is. Return the state that it was in."""
        if grant.purchase_id is not None:  # before the lock of the grant, as in a refund: they never wait in a circle
            await session.run(REVOKED, purchase_id=grant.purchase_id, reason=reason)
        held = await self._hold(session, grant)
        if held.state == "revoked":
            return held.state
        await self._set(session, held, "revoked", reason)
        told = GrantRevoked(user_id=held.user_id, course_id=held.course_id, grant_id=held.id, reason=reason)
        await self._events.publish(session, told)
        await self._told_if_last(session, held, reason)
        await self._seats.settle(session, held.course_id, held.user_id)
        return held.state

    async def suspend(self, session: Session, grant: Grant, reason: str) -> State:
        """Take *grant* out until it is resumed; its seat stays. Return the state that it was in.

        Raises:
            problems.Conflict: it is not active.
        """
        held = await self._hold(session, grant)
        if held.state != "active":
            raise problems.Conflict(f"The grant is {held.state}; only an active one can be suspended.")
        await self._set(session, held, "suspended", reason)
        await self._told_if_last(session, held, reason)
        return held.state

    async def resume(self, session: Session, grant: Grant, reason: str) -> State:
        """Let a suspended *grant* count again, from its beginning on. Return the state that it was in.

        Raises:
            problems.Conflict: it is not suspended, or its time is over.
        """
        held, now = await self._hold(session, grant), self._clock.now()
        if held.state != "suspended":
            raise problems.Conflict(f"The grant is {held.state}; only a suspended one can be resumed.")
        if held.ends_at is not None and held.ends_at <= now:
            raise problems.Conflict(f"The grant's ends_at is past ({held.ends_at:%Y-%m-%d %H:%M} UTC); give a new one.")
        await self._set(session, held, "active", reason)
        if held.starts_at <= now:
            await session.run(TELL_BEGINNING, grant_id=held.id)
            await self._enrolled(session, held)
        return held.state

    async def begin(self, session: Session, grant: Grant) -> None:
        """Tell that *grant* counts from now on, once."""
        if await session.run(TELL_BEGINNING, grant_id=grant.id):
            await self._enrolled(session, grant)

    async def expire(self, session: Session, grant: Grant, now: datetime) -> None:
        """Tell that the time of *grant* ran out, once."""
        held = await self._hold(session, grant)
        if await session.run(TELL_END, grant_id=held.id, now=now):
            await self._told_if_last(session, held, "expired")
            await self._seats.settle(session, held.course_id, held.user_id)

    async def _hold(self, session: Session, grant: Grant) -> Held:
        """Lock *grant* and return it as it stands: it may have changed since it was read."""
        await session.all(LOCK_GRANTS, user_id=grant.user_id, course_id=grant.course_id)
        return next(held for held in await self._of_person(session, grant) if held.id == grant.id)

    async def _of_person(self, session: Session, grant: Grant) -> list[Held]:
        return await session.all(HELD, user_id=grant.user_id, course_id=grant.course_id)

    async def _set(self, session: Session, held: Held, state: State, reason: str) -> None:
        await session.run(SET_STATE, grant_id=held.id, before=held.state, state=state, reason=reason)

    async def _told_if_last(self, session: Session, gone: Held, reason: str) -> None:
        left = await self._of_person(session, gone)
        if not gone.told or any(held.told for held in left):
            return
        # What counts by now and was not told of takes its place: it is told of, so that its own end will be, too.
        now = self._clock.now()
        counting = [held for held in left if why(held, now) == "counts"]
        for held in counting:
            await self.begin(session, held)
        if not counting:
            ended = AccessEnded(user_id=gone.user_id, course_id=gone.course_id, reason=reason)
            await self._events.publish(session, ended)

    async def _enrolled(self, session: Session, grant: Grant) -> None:
        told = UserEnrolled(user_id=grant.user_id, course_id=grant.course_id, grant_id=grant.id, source=grant.source)
        await self._events.publish(session, told)

    async def _waits(self, session: Session, grant: Grant) -> None:
        told = GrantWaits(
            user_id=grant.user_id,
            course_id=grant.course_id,
            grant_id=grant.id,
            source=grant.source,
            starts_at=grant.starts_at.astimezone(UTC),  # it is in whatever zone it was asked for
        )
        await self._events.publish(session, told)
