"""The lists of enrolments: a person's own, and a course's."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.sql.elements import ColumnElement

from kernel import PageQuery
from kernel.contracts.users import Person
from kernel.database import Query
from plugins.enrollments.access import Source, State
from plugins.enrollments.tables import courses, grants


class Enrollment(msgspec.Struct, frozen=True, kw_only=True):
    """A course that a person has access to, or had until its time ran out."""

    grant_id: UUID
    course_id: UUID
    title: str | None  #: None until the course was heard of
    status: str | None
    source: Source
    state: State
    starts_at: datetime
    ends_at: datetime | None
    counts: bool  #: whether the course is open to the person now


class RosterRow(msgspec.Struct, frozen=True, kw_only=True):
    """A person with access to a course."""

    grant_id: UUID
    user_id: UUID
    source: Source
    state: State
    starts_at: datetime
    ends_at: datetime | None
    counts: bool  #: whether the course is open to the person now


class RosterEntry(RosterRow, frozen=True, kw_only=True):
    """A person with access to a course, by name."""

    display_name: str


def _counts(table: sa.FromClause) -> ColumnElement[bool]:
    now = bindparam("now", type_=grants.c.starts_at.type)
    return sa.and_(
        table.c.state == sa.literal_column("'active'"),
        table.c.starts_at <= now,
        sa.or_(table.c.ends_at.is_(None), table.c.ends_at > now),
    )


def _superseded() -> ColumnElement[bool]:
    """Return whether another grant is shown instead: the newest of those that count `now`, else the newest of all."""
    other = grants.alias("other")
    return sa.exists().where(
        other.c.user_id == grants.c.user_id,
        other.c.course_id == grants.c.course_id,
        other.c.state != sa.literal_column("'revoked'"),
        sa.tuple_(_counts(other), other.c.id) > sa.tuple_(_counts(grants), grants.c.id),
    )


_STANDING: Final = (grants.c.state != sa.literal_column("'revoked'"), ~_superseded())


@functools.cache
def own(*, further: bool) -> Query[Enrollment]:
    """Return the query for a page of the courses of `user_id`: one grant of each, the newest first."""
    statement = (
        sa.select(
            grants.c.id.label("grant_id"),
            grants.c.course_id,
            courses.c.title,
            courses.c.status,
            grants.c.source,
            grants.c.state,
            grants.c.starts_at,
            grants.c.ends_at,
            _counts(grants).label("counts"),
        )
        .join_from(grants, courses, courses.c.id == grants.c.course_id, isouter=True)
        .where(grants.c.user_id == bindparam("user_id"), *_STANDING)
    )
    return Query(_paged(statement, further), Enrollment)


@functools.cache
def roster(*, further: bool) -> Query[RosterRow]:
    """Return the query for a page of the people of `course_id`, the newest first."""
    statement = sa.select(
        grants.c.id.label("grant_id"),
        grants.c.user_id,
        grants.c.source,
        grants.c.state,
        grants.c.starts_at,
        grants.c.ends_at,
        _counts(grants).label("counts"),
    ).where(grants.c.course_id == bindparam("course_id"), *_STANDING)
    return Query(_paged(statement, further), RosterRow)


def named(row: RosterRow, people: Mapping[UUID, Person]) -> RosterEntry:
    """Return *row* with the person's name, empty where nobody knows it."""
    person = people.get(row.user_id)
    return RosterEntry(**msgspec.structs.asdict(row), display_name=person.display_name if person else "")


def place(query: PageQuery) -> dict[str, object]:
    """Return the values by which a list goes on after a page."""
    after = query.after(UUID)
    return {} if after is None else {"after_id": after}


def _paged(statement: sa.Select[tuple[object, ...]], further: bool) -> sa.Select[tuple[object, ...]]:
    if further:
        statement = statement.where(grants.c.id < bindparam("after_id"))
    return statement.order_by(grants.c.id.desc()).limit(bindparam("limit"))
