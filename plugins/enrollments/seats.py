"""Seats: exactly as many people in a course as it has seats, if it has a number of them.

A seat belongs to a person, whatever the number of grants: whoever is given one by a grant or a purchase keeps it until
the last of them is gone. What gives or takes a grant or a purchase settles the seat in its own transaction, in this
order: first its own rows, then the course's row of `terms`, which it locks, and then it looks. So of two that meet,
the second sees what the first has left. That nobody is let in over the limit rests on `TAKE` and on the key of
`seats`; the lock but spares people errors.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.enrollments import CourseFull
from kernel.database import Command, Follow, Guarded, Query, Returned, Session
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.tables import grants, purchases, seats, terms


class Limit(msgspec.Struct, frozen=True):
    """How many seats a course has, and how many are taken."""

    seats: int
    taken: int


_COURSE: Final = bindparam("course_id", type_=sa.Uuid())
_USER: Final = bindparam("user_id", type_=sa.Uuid())

#: The grants for which a person has a seat, also those that have yet to begin or are suspended: all but those of staff,
#: until they are revoked or their end was told.
SEATING_GRANTS: Final = (
    grants.c.source != sa.literal_column("'staff'"),
    grants.c.state != sa.literal_column("'revoked'"),
    grants.c.ended_at.is_(None),
)
SEATING_PURCHASES: Final = (purchases.c.state == sa.literal_column("'pending'"),)

LIMIT: Final = Query(sa.select(terms.c.seats, terms.c.taken).where(terms.c.course_id == _COURSE), Limit)
LOCK_LIMIT: Final = Query(
    sa.select(terms.c.seats, terms.c.taken).where(terms.c.course_id == _COURSE).with_for_update(key_share=True), Limit
)
SEAT: Final = Query(sa.select(seats.c.user_id).where(seats.c.course_id == _COURSE, seats.c.user_id == _USER), UUID)
#: Takes a seat if one is left.
TAKE: Final = Guarded(
    sa.update(terms)
    .where(terms.c.course_id == _COURSE, terms.c.taken < terms.c.seats)
    .values(taken=terms.c.taken + 1)
    .returning(terms.c.course_id),
    UUID,
    (Follow(seats, {"course_id": Returned("course_id"), "user_id": _USER}),),
)
#: Finds what a person has a seat for.
SEATING: Final = Query(
    sa.union_all(
        sa.select(grants.c.id).where(grants.c.user_id == _USER, grants.c.course_id == _COURSE, *SEATING_GRANTS),
        sa.select(purchases.c.id).where(
            purchases.c.user_id == _USER, purchases.c.course_id == _COURSE, *SEATING_PURCHASES
        ),
    ),
    UUID,
)
EMPTY: Final = Command(sa.delete(seats).where(seats.c.course_id == _COURSE, seats.c.user_id == _USER))
COUNT_DOWN: Final = Command(
    sa.update(terms).where(terms.c.course_id == _COURSE, terms.c.taken > 0).values(taken=terms.c.taken - 1)
)


class Seats:
    """Gives people seats and takes them, inside the caller's transaction."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._db = ctx.db

    async def limited(self, course_id: UUID) -> bool:
        """Return whether the course has a number of seats."""
        return await self._db.first(LIMIT, course_id=course_id) is not None

    async def take(self, session: Session, course_id: UUID, user_id: UUID) -> None:
        """Give the person a seat, who has a grant or purchase since this transaction; one seat is enough.

        Raises:
            CourseFull: there is none left; leave the transaction.
        """
        limit = await session.first(LOCK_LIMIT, course_id=course_id)
        if limit is None or await session.first(SEAT, course_id=course_id, user_id=user_id) is not None:
            return
        if await session.guarded(TAKE, course_id=course_id, user_id=user_id) is None:
            raise CourseFull(f"All seats are taken ({limit.seats}).")

    async def settle(self, session: Session, course_id: UUID, user_id: UUID) -> None:
        """Free the person's seat, if nothing is left to have it for; safe to repeat."""
        if await session.first(LOCK_LIMIT, course_id=course_id) is None:
            return
        if await session.first(SEATING, course_id=course_id, user_id=user_id) is not None:
            return
        if await session.run(EMPTY, course_id=course_id, user_id=user_id):
            await session.run(COUNT_DOWN, course_id=course_id)
