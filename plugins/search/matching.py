"""The statements of a search: the best documents of the rarest word, what the other words say of them, and counts.

A word that a million documents have costs no more than one that thousands have: postings are read in the order of their
impact, and no more than `REACH` of them. What else there is to know of these few is looked up by key.
"""

from __future__ import annotations

import functools
import operator
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.sql.elements import ColumnElement

from kernel.contracts.search import Sort
from kernel.database import Query
from plugins.search.tables import documents, people, postings, readers

REACH: Final = 2000  # documents of one term that are looked at
NAME_POINTS: Final = 1_000_000_000  #: for being called exactly like the query
WHOLE_POINTS: Final = 300_000_000  #: where half of the words are enough, for having all; more than words come to
FACETS: Final = ("kind", "category", "level", "language")
_HUNDRED: Final[ColumnElement[int]] = sa.literal_column("100")

#: What sorts, the greatest first.
SORTED: Final[dict[Sort, ColumnElement[int]]] = {
    "rating": documents.c.rating,
    "newest": documents.c.published,
    "price": -documents.c.price,
}
#: The filters: the name of the bind parameter and what it asks for. A value that is not known passes none.
FILTERS: Final[dict[str, ColumnElement[bool]]] = {
    **{name: documents.c[name].in_(bindparam(name, expanding=True)) for name in FACETS},
    "instructor": sa.exists().where(
        people.c.document == documents.c.number, people.c.user_id == bindparam("instructor", type_=sa.Uuid())
    ),
    "max_price": documents.c.price.between(sa.literal_column("0"), bindparam("max_price")),
    "min_rating": documents.c.rating >= bindparam("min_rating"),
    "max_duration_seconds": documents.c.duration_seconds.between(
        sa.literal_column("0"), bindparam("max_duration_seconds")
    ),
}
_FINDABLE: Final = sa.and_(
    documents.c.subject_kind.in_(bindparam("sources", expanding=True)),
    sa.or_(
        documents.c.public,
        sa.exists().where(
            readers.c.document == documents.c.number, readers.c.reader.in_(bindparam("readers", expanding=True))
        ),
    ),
)


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What decides the text of a statement: few shapes, each compiled once."""

    slots: int  #: words
    drivers: int  #: terms whose documents are looked at
    filters: frozenset[str]
    whole: bool  #: whether every word has to match, or else half of them


class Match(msgspec.Struct, frozen=True):
    """A document that matches."""

    sorted_by: int
    number: int
    points: int
    shown: bytes


class Tally(msgspec.Struct, frozen=True):
    """How many matches there are with one value of one facet, and in all where *facet* is empty."""

    facet: str
    value: str
    count: int


class Contribution(msgspec.Struct, frozen=True):
    """What one term says of one document."""

    document: int
    term: str
    impact: int


@functools.cache
def page(shape: Shape, sort: Sort, *, further: bool) -> Query[Match]:
    """Return the query for one page; a *further* one begins behind `after_key` and `after_number`."""
    matches = _matches(shape, shape.filters)
    key = matches.c.points if sort == "relevance" else matches.c[sort]
    statement = (
        sa.select(key.label("sorted_by"), matches.c.number, matches.c.points, documents.c.shown)
        .join_from(matches, documents, documents.c.number == matches.c.number)
        .order_by(key.desc(), matches.c.number.desc())
        .limit(bindparam("limit"))
    )
    if further:
        place = sa.tuple_(_number("after_key"), _number("after_number"))
        statement = statement.where(sa.tuple_(key, matches.c.number) < place)
    return Query(statement, Match)


@functools.cache
def tally(shape: Shape) -> Query[Tally]:
    """Return the query for the counts: of each facet as if it had no filter of its own, and of all."""
    empty: ColumnElement[str] = sa.literal_column("''")
    total = _matches(shape, shape.filters)
    counts = [sa.select(empty.label("facet"), empty.label("value"), sa.func.count().label("count")).select_from(total)]
    for facet in FACETS:
        matches = _matches(shape, shape.filters - {facet})
        value = matches.c[facet]
        counted = sa.select(sa.literal_column(f"'{facet}'").label("facet"), value.label("value"), sa.func.count())
        counts.append(counted.where(value != empty).group_by(value))
    return Query(sa.union_all(*counts), Tally)


CONTRIBUTIONS: Final = Query(
    sa.select(postings.c.document, postings.c.term, postings.c.impact).where(
        postings.c.document.in_(bindparam("numbers", expanding=True)),
        postings.c.term.in_(bindparam("terms", expanding=True)),
    ),
    Contribution,
)


def _matches(shape: Shape, filters: frozenset[str]) -> sa.Subquery:
    driving = ("name_term", *(f"driver_{number}" for number in range(shape.drivers)))
    candidates = sa.union(*(_best(name, filters) for name in driving)).subquery()
    scores = [_score(candidates.c.document, slot) for slot in range(shape.slots)]
    scored = sa.select(
        candidates.c.document.label("number"),
        *(score.label(f"score_{slot}") for slot, score in enumerate(scores)),
        _impact(candidates.c.document, postings.c.term == bindparam("name_term")).label("name"),
    ).subquery()
    points = _points(scored, shape)
    return (
        sa.select(
            scored.c.number,
            points.label("points"),
            *(documents.c[facet] for facet in FACETS),
            *(column.label(sort) for sort, column in SORTED.items()),
        )
        .join_from(scored, documents, documents.c.number == scored.c.number)
        .where(_words_met(scored, shape.slots) >= _constant(shape.slots if shape.whole else (shape.slots + 1) // 2))
        .subquery()
    )


def _points(scored: sa.Subquery, shape: Shape) -> ColumnElement[int]:
    weighed = [
        sa.func.coalesce(scored.c[f"score_{slot}"], _constant(0)) * _number(f"weight_{slot}")
        for slot in range(shape.slots)
    ]
    points = functools.reduce(operator.add, weighed, _when(scored.c.name.is_not(None), NAME_POINTS))
    if shape.whole:
        return points
    return points + _when(_words_met(scored, shape.slots) == _constant(shape.slots), WHOLE_POINTS)


def _words_met(scored: sa.Subquery, slots: int) -> ColumnElement[int]:
    met = (_when(scored.c[f"score_{slot}"].is_not(None), 1) for slot in range(slots))
    return functools.reduce(operator.add, met)


def _when(condition: ColumnElement[bool], value: int) -> ColumnElement[int]:
    return sa.case((condition, _constant(value)), else_=_constant(0))


def _constant(value: int) -> ColumnElement[int]:
    return sa.literal_column(str(value), sa.BigInteger())


def _best(driver: str, filters: frozenset[str]) -> sa.Select[tuple[int]]:
    """Return the documents of a term of which it says the most; in a select of its own, as SQLite wants it."""
    best = (
        sa.select(postings.c.document)
        .join_from(postings, documents, documents.c.number == postings.c.document)
        .where(postings.c.term == bindparam(driver), _FINDABLE)
        .where(*(FILTERS[name] for name in sorted(filters)))
        .order_by(postings.c.impact.desc(), postings.c.document.desc())
        .limit(sa.literal_column(str(REACH)))
        .subquery()
    )
    return sa.select(best.c.document)


def _score(document: ColumnElement[int], slot: int) -> ColumnElement[int]:
    """Return what the best of a word's terms says of the document; a term that is not the word itself counts less."""
    worth = sa.case((postings.c.term == bindparam(f"own_{slot}"), _HUNDRED), else_=_number(f"worth_{slot}"))
    among = postings.c.term.in_(bindparam(f"terms_{slot}", expanding=True))
    return _impact(document, among, postings.c.impact * worth)


def _impact(
    document: ColumnElement[int], condition: ColumnElement[bool], value: ColumnElement[int] = postings.c.impact
) -> ColumnElement[int]:
    selected = sa.select(sa.func.max(value)).where(postings.c.document == document, condition)
    return selected.correlate_except(postings).scalar_subquery()


def _number(name: str) -> sa.BindParameter[int]:
    return bindparam(name, type_=sa.BigInteger())
