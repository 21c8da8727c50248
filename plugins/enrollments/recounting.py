"""Counting seats anew: when a course gets a number of them, and to mend what should never be wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, Event
from kernel.database import Command, Query, Session
from plugins.enrollments.seats import LOCK_LIMIT, SEATING_GRANTS, SEATING_PURCHASES
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.tables import grants, purchases, seats, terms


class Recount(msgspec.Struct, frozen=True, kw_only=True):
    """What was wrong with the seats of a course, and is no longer."""

    course_id: UUID
    missing: int  #: people who had no seat and should have
    extra: int  #: seats of people who should have none
    counted: int  #: the seats that were taken as it was written down
    taken: int  #: as it is


#: Makes an event of what was mended.
Tell = Callable[[Recount], Event]

_COURSE: Final = bindparam("course_id", type_=sa.Uuid())
_ENTITLED: Final = sa.union(
    sa.select(grants.c.user_id).where(grants.c.course_id == _COURSE, *SEATING_GRANTS),
    sa.select(purchases.c.user_id).where(purchases.c.course_id == _COURSE, *SEATING_PURCHASES),
).subquery("entitled")
_SEATED: Final = sa.select(seats.c.user_id).where(seats.c.course_id == _COURSE)

ENTITLED: Final = Query(sa.select(sa.func.count()).select_from(_ENTITLED), int)
ADD_MISSING: Final = Command(
    sa.insert(seats).from_select(
        ["course_id", "user_id"],
        sa.select(_COURSE, _ENTITLED.c.user_id).where(_ENTITLED.c.user_id.not_in(_SEATED)),
    )
)
REMOVE_EXTRA: Final = Command(
    sa.delete(seats).where(seats.c.course_id == _COURSE, seats.c.user_id.not_in(sa.select(_ENTITLED.c.user_id)))
)
COUNT: Final = Query(
    sa.update(terms)
    .where(terms.c.course_id == _COURSE)
    .values(taken=sa.select(sa.func.count()).select_from(_SEATED.subquery()).scalar_subquery())
    .returning(terms.c.taken),
    int,
)


def _of(table: sa.Table, person: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.course_id == person.c.course_id, table.c.user_id == person.c.user_id


def _without_seat(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        table.c.course_id == terms.c.course_id, *conditions, ~sa.exists().where(*_of(seats, table)).correlate(table)
    )


#: Courses whose seats are not what they should be, in one look at everything.
WRONG: Final = Query(
    sa.select(terms.c.course_id).where(
        sa.or_(
            terms.c.taken
            != sa.select(sa.func.count())
            .select_from(seats)
            .where(seats.c.course_id == terms.c.course_id)
            .correlate(terms)
            .scalar_subquery(),
            sa.exists().where(
                seats.c.course_id == terms.c.course_id,
                ~sa.exists().where(*_of(grants, seats), *SEATING_GRANTS).correlate(seats),
                ~sa.exists().where(*_of(purchases, seats), *SEATING_PURCHASES).correlate(seats),
            ),
            _without_seat(grants, *SEATING_GRANTS),
            _without_seat(purchases, *SEATING_PURCHASES),
        )
    ),
    UUID,
)


async def recount(session: Session, course_id: UUID) -> Recount | None:
    """Give a seat to whoever should have one and to nobody else; return what was wrong, None for a course without
    a number of seats."""
    limit = await session.first(LOCK_LIMIT, course_id=course_id)
    if limit is None:
        return None
    missing = await session.run(ADD_MISSING, course_id=course_id)
    extra = await session.run(REMOVE_EXTRA, course_id=course_id)
    taken = await session.one(COUNT, course_id=course_id)
    return Recount(course_id=course_id, missing=missing, extra=extra, counted=limit.taken, taken=taken)


async def mend(ctx: Context[EnrollmentsSettings], tell: Tell | None = None) -> list[Recount]:
    """Look for courses whose seats are wrong, which a defect alone can bring about; mend and log them.

    What *tell* makes of one is published with it.
    """
    mended = []
    for course_id in await ctx.db.all(WRONG):
        async with ctx.db.transaction() as session:
            found = await recount(session, course_id)
            if found is None or not _was_wrong(found):  # somebody was faster
                continue
            if tell is not None:
                await ctx.events.publish(session, tell(found))
        ctx.log.error("seats were wrong", action="seats", **msgspec.to_builtins(found))
        mended.append(found)
    return mended


def _was_wrong(found: Recount) -> bool:
    return bool(found.missing or found.extra) or found.counted != found.taken
