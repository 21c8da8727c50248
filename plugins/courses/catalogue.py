"""Reading courses: one by id, and the lists, each as JSON that was rendered before."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.sql.elements import ColumnElement

from kernel.database import Lookup, Query
from plugins.courses.states import Status
from plugins.courses.tables import course_instructors, course_tags, courses


class DocumentRow(msgspec.Struct, frozen=True):
    """A course as it is sent."""

    id: UUID
    status: Status
    published_at: datetime | None
    document: bytes
    offer: bytes


class OfferRow(msgspec.Struct, frozen=True):
    """A course as other plugins see it."""

    id: UUID
    offer: bytes


class OwnCard(msgspec.Struct, frozen=True):
    """A course in the list of those who teach it."""

    id: UUID
    card: bytes


class SubmittedCard(msgspec.Struct, frozen=True):
    """A course in the list of those who review."""

    submitted_at: datetime
    id: UUID
    card: bytes


_KEYS: Final[sa.BindParameter[UUID]] = bindparam("keys", expanding=True)

DOCUMENT: Final = Lookup(
    sa.select(*(courses.c[name] for name in DocumentRow.__struct_fields__)).where(courses.c.id.in_(_KEYS)),
    DocumentRow,
)
OFFER: Final = Lookup(sa.select(courses.c.id, courses.c.offer).where(courses.c.id.in_(_KEYS)), OfferRow)

#: The filters of the catalogue: the name of the bind parameter and what it asks for.
FILTERS: Final[dict[str, ColumnElement[bool]]] = {
    "category": courses.c.category == bindparam("category"),
    "level": courses.c.level == bindparam("level"),
    "language": courses.c.language == bindparam("language"),
    "max_price": courses.c.price <= bindparam("max_price"),
    "tag": sa.exists().where(course_tags.c.course_id == courses.c.id, course_tags.c.tag == bindparam("tag")),
    "instructor": sa.exists().where(
        course_instructors.c.course_id == courses.c.id, course_instructors.c.user_id == bindparam("instructor")
    ),
}


@functools.cache
def published(filters: frozenset[str], *, further: bool, reach: int) -> Query[bytes]:
    """Return the query for the cards of a page of the catalogue, newest first, narrowed by *filters* (of `FILTERS`).

    A *further* page begins after `after_time` and `after_id`. *reach* is the most rows it returns, one of few numbers:
    PostgreSQL would plan a statement with a bound limit anew at each execution, for longer than it takes to run.
    """
    statement = (
        sa.select(courses.c.card)
        .where(courses.c.status == sa.literal_column("'published'"), *(FILTERS[name] for name in sorted(filters)))
        .order_by(courses.c.published_at.desc(), courses.c.id.desc())
        .limit(sa.literal_column(str(reach)))
    )
    if further:
        statement = statement.where(_after(courses.c.published_at, "<"))
    return Query(statement, bytes)


@functools.cache
def taught(*, further: bool) -> Query[OwnCard]:
    """Return the query for a page of the courses that `user_id` teaches, newest first."""
    statement = (
        sa.select(courses.c.id, courses.c.card)
        .join_from(course_instructors, courses, courses.c.id == course_instructors.c.course_id)
        .where(course_instructors.c.user_id == bindparam("user_id"))
        .order_by(courses.c.id.desc())
        .limit(bindparam("limit"))
    )
    if further:
        statement = statement.where(courses.c.id < bindparam("after_id"))
    return Query(statement, OwnCard)


@functools.cache
def in_review(*, further: bool) -> Query[SubmittedCard]:
    """Return the query for a page of the courses that wait for a review, the longest waiting first."""
    statement = (
        sa.select(courses.c.submitted_at, courses.c.id, courses.c.card)
        .where(courses.c.status == sa.literal_column("'in-review'"))
        .order_by(courses.c.submitted_at, courses.c.id)
        .limit(bindparam("limit"))
    )
    if further:
        statement = statement.where(_after(courses.c.submitted_at, ">"))
    return Query(statement, SubmittedCard)


def _after(moment: sa.Column[datetime], comparison: str) -> ColumnElement[bool]:
    place = sa.tuple_(moment, courses.c.id)
    values = (bindparam("after_time", type_=moment.type), bindparam("after_id", type_=courses.c.id.type))
    # As subselects, of which PostgreSQL knows as little beforehand as later: with the values it would plan each time.
    key = sa.tuple_(*(sa.select(value).scalar_subquery() for value in values))
    return place.op(comparison, is_comparison=True)(key)
