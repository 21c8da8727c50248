"""The statement of a search: the best documents of what is rarest in it, what the rest says of them, and the counts.

What is looked for has *parts*: each word, each filter by facet, and who may read. The part that the fewest documents
have *drives*: its documents are read in the order of their impact, no more than `REACH` of them, and the others are
looked up by key, the rarest first, for those that are left. So a word that a million documents have costs no more than
one that thousands have.

There are two *spaces* of terms: of documents for everybody, and of those for some readers, whose terms begin with
`RESTRICTED`. Each is gone through by a *chain* of its own, the second one only by who may read something in it.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.sql.elements import ColumnElement

from kernel.contracts.search import Sort
from kernel.database import Query
from plugins.search.tables import contents, documents, postings
from plugins.search.weighing import FACETS

REACH: Final = 1000  # documents of one part that are looked at
REACH_OF_HALF: Final = 600  # where half of the words are enough: of all of them together
NAMESAKES: Final = 100  # documents that are called exactly like the query
NAME_POINTS: Final = 1_000_000_000  #: for being called exactly like the query
WHOLE_POINTS: Final = 300_000_000  #: where half of the words are enough, for having all; more than words come to

#: What sorts, the greatest first.
SORTED: Final[dict[Sort, ColumnElement[int]]] = {
    "rating": documents.c.rating,
    "newest": documents.c.published,
    "price": -documents.c.price,
}
#: How everything is gone through in such an order.
_ORDERED: Final[dict[Sort, Sequence[ColumnElement[int]]]] = {
    "rating": (documents.c.rating.desc(), documents.c.number.desc()),
    "newest": (documents.c.published.desc(), documents.c.number.desc()),
    "price": (documents.c.price.asc(), documents.c.number.asc()),
}
#: The filters that are no facets: the name of the bind parameter and what it asks for; what is not known passes none.
_NUMBERS: Final[dict[str, ColumnElement[bool]]] = {
    "max_price": documents.c.price.between(sa.literal_column("0"), bindparam("max_price")),
    "min_rating": documents.c.rating >= bindparam("min_rating"),
    "max_duration_seconds": documents.c.duration_seconds.between(
        sa.literal_column("0"), bindparam("max_duration_seconds")
    ),
}
_NOTHING: Final[ColumnElement[int]] = sa.literal_column("0", sa.BigInteger())
_NO_TEXT: Final[ColumnElement[str]] = sa.literal_column("''", sa.Text())

#: A word brings points; a gate lets pass.
Step = Literal["word", "gate"]
#: How a chain begins: with the documents of one word in its own form, of all forms of a word, or of a gate; or with
#: all documents in the order of the sort.
Driver = Literal["own", "word", "gate", "order"]


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """One way through one space: what it begins with, and what follows in its order."""

    driver: Driver
    terms: int  #: of the driver
    steps: tuple[Step, ...] = ()


class Halves(msgspec.Struct, frozen=True, kw_only=True):
    """The way through one space where half of the words are enough."""

    terms: tuple[int, ...]  #: of each word
    gates: int


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What decides the text of a statement: few shapes, each compiled once."""

    ways: tuple[Chain | Halves, ...]
    filters: frozenset[str]
    sort: Sort
    further: bool = False  #: begins behind `after_key` and `after_number`
    tallied: bool = True


class Row(msgspec.Struct, frozen=True):
    """A hit; or, where *count* is more than 0, so many matches that have the same values."""

    count: int
    sorted_by: int
    number: int
    points: int
    shown: bytes
    #: the place in `FACETS`, counted from 1, of the only filter that these do not pass; 0 where they pass all
    failed: int
    kind: str
    category: str
    level: str
    language: str


@functools.cache
def search(shape: Shape) -> Query[Row]:
    """Return the query for one page and the counts."""
    ways = [_way(way, number, shape.sort) for number, way in enumerate(shape.ways)]
    reached = sa.union_all(*ways).cte("reached").prefix_with("MATERIALIZED")
    matches = _matches(reached, shape).cte("matches").prefix_with("MATERIALIZED")
    page = _page(matches, shape)
    return Query(sa.union_all(page, _tally(matches)) if shape.tallied else page, Row)


class Content(msgspec.Struct, frozen=True):
    """The terms of a document."""

    document: int
    terms: bytes  #: the JSON of each with its impact


CONTENTS: Final = Query(
    sa.select(contents.c.document, contents.c.terms).where(
        contents.c.document.in_(bindparam("numbers", expanding=True))
    ),
    Content,
)


def _matches(reached: sa.CTE, shape: Shape) -> sa.Select[Any]:
    key = reached.c.points if shape.sort == "relevance" else SORTED[shape.sort]
    failed = _failed(shape)
    return (
        sa.select(
            reached.c.document,
            reached.c.points,
            key.label("sorted_by"),
            (_NOTHING if failed is None else failed).label("failed"),
            *(documents.c[facet] for facet in FACETS),
        )
        .join_from(reached, documents, documents.c.number == reached.c.document)
        .where(documents.c.subject_kind.in_(bindparam("sources", expanding=True)))
        .where(*(condition for name, condition in _NUMBERS.items() if name in shape.filters))
        .where(*([] if failed is None else [failed.is_not(None)]))
    )


def _failed(shape: Shape) -> ColumnElement[int] | None:
    """Return which facet's filter is the only one that a document does not pass: null where there are several."""
    passes = {facet: documents.c[facet].in_(bindparam(facet, expanding=True)) for facet in FACETS}
    asked = [facet for facet in FACETS if facet in shape.filters]
    if not asked:
        return None
    cases = [(sa.and_(*(passes[facet] for facet in asked)), _NOTHING)]
    for one in asked:
        others = sa.and_(sa.true(), *(passes[facet] for facet in asked if facet != one))
        cases.append((others, _constant(FACETS.index(one) + 1)))
    return sa.case(*cases, else_=sa.null())


def _page(matches: sa.CTE, shape: Shape) -> sa.Select[Any]:
    chosen = (
        sa.select(matches.c.sorted_by, matches.c.document, matches.c.points)
        .where(matches.c.failed == _NOTHING)
        .order_by(matches.c.sorted_by.desc(), matches.c.document.desc())
        .limit(bindparam("limit"))
    )
    if shape.further:
        place = sa.tuple_(_number("after_key"), _number("after_number"))
        chosen = chosen.where(sa.tuple_(matches.c.sorted_by, matches.c.document) < place)
    page = chosen.subquery("page")
    own = (page.c.sorted_by, page.c.document.label("number"), page.c.points, contents.c.shown)
    none: list[ColumnElement[Any]] = [_NO_TEXT.label(facet) for facet in FACETS]
    selected = sa.select(_NOTHING.label("count"), *own, _NOTHING.label("failed"), *none)
    return selected.join_from(page, contents, contents.c.document == page.c.document)


def _tally(matches: sa.CTE) -> sa.Select[Any]:
    values = [matches.c.failed, *(matches.c[facet] for facet in FACETS)]
    none = (_NOTHING.label(name) for name in ("sorted_by", "number", "points"))
    shown = sa.cast(_NO_TEXT, sa.LargeBinary).label("shown")
    columns: Sequence[ColumnElement[Any]] = (sa.func.count().label("count"), *none, shown, *values)
    return sa.select(*columns).group_by(*values)


def _way(way: Chain | Halves, number: int, sort: Sort) -> sa.Select[tuple[int, int]]:
    """Return the documents that one way reaches, with their points."""
    if isinstance(way, Halves):
        return _halves(way, f"way_{number}")
    return _chain(way, f"way_{number}", sort)


def _chain(chain: Chain, name: str, sort: Sort) -> sa.Select[tuple[int, int]]:
    before = _driven(chain, name, sort)
    for place, step in enumerate(chain.steps, 1):
        score = _passed if step == "gate" else _score
        before = (
            _met(before, score(before.c.document, f"{name}_{{}}_{place}").label("score"))
            .cte(f"{name}_step_{place}")
            .prefix_with("MATERIALIZED")
        )
    return _met(before)


def _met(before: sa.CTE, *more: ColumnElement[int]) -> sa.Select[tuple[int, int]]:
    """Return those that the last step let pass, with what they have brought so far."""
    brought = (before.c.points + before.c.score).label("points")
    return sa.select(before.c.document, brought, *more).where(before.c.score.is_not(None))


def _driven(chain: Chain, name: str, sort: Sort) -> sa.CTE:
    """Return the documents that a chain begins with: their points, and what the driver says of them."""
    if chain.driver == "order":
        best = sa.select(documents.c.number.label("document")).where(documents.c.public).order_by(*_ORDERED[sort])
        walked = best.limit(_constant(REACH)).subquery(f"{name}_walked")
        driven = sa.select(walked.c.document, _NOTHING.label("points"), _NOTHING.label("score"))
        return driven.cte(f"{name}_driven").prefix_with("MATERIALIZED")
    start = _start(name, [f"{name}_driver_{term}" for term in range(chain.terms)], REACH)
    score: ColumnElement[int]
    if chain.driver == "gate":
        passed = _passed(start.c.document, f"{name}_{{}}_0")
        score = sa.case((start.c.impact.is_not(None), _NOTHING), else_=passed)  # or it has the name only
    elif chain.driver == "own":
        whole = _impact(start.c.document, postings.c.term == bindparam(f"{name}_driver_0"))
        score = sa.func.coalesce(start.c.impact, whole) * _constant(100) * _number(f"{name}_weight_0")
    else:
        score = _score(start.c.document, f"{name}_{{}}_0")
    driven = sa.select(start.c.document, start.c.points, score.label("score"))
    return driven.cte(f"{name}_driven").prefix_with("MATERIALIZED")


def _halves(halves: Halves, name: str) -> sa.Select[tuple[int, int]]:
    words = range(len(halves.terms))
    drivers = [f"{name}_driver_{term}" for term in range(sum(halves.terms))]
    start = _start(name, drivers, max(1, REACH_OF_HALF // len(drivers)))
    scores = [_score(start.c.document, f"{name}_{{}}_{word}").label(f"score_{word}") for word in words]
    gates = [_passed(start.c.document, f"{name}_{{}}_{len(words) + gate}") for gate in range(halves.gates)]
    scored = sa.select(start.c.document, start.c.points, *scores).where(*(gate.is_not(None) for gate in gates))
    known = scored.cte(f"{name}_scored").prefix_with("MATERIALIZED")
    met = functools.reduce(operator.add, (_when(known.c[f"score_{word}"].is_not(None), 1) for word in words))
    brought = (sa.func.coalesce(known.c[f"score_{word}"], _NOTHING) for word in words)
    points = functools.reduce(operator.add, brought, known.c.points + _when(met == _constant(len(words)), WHOLE_POINTS))
    enough = (len(words) + 1) // 2
    return sa.select(known.c.document, points.label("points")).where(met >= _constant(enough))


def _start(name: str, drivers: Sequence[str], reach: int) -> sa.CTE:
    """Return the best documents of each driver, and those that are called exactly like the query."""
    walks = [_walk(driver, postings.c.impact, _NOTHING, reach) for driver in drivers]
    walks.append(_walk(f"{name}_name", sa.cast(sa.null(), sa.Integer), _constant(NAME_POINTS), NAMESAKES))
    walked = sa.union_all(*walks).subquery(f"{name}_walked")
    return (
        sa.select(
            walked.c.document,
            sa.func.max(walked.c.impact).label("impact"),
            sa.func.max(walked.c.points).label("points"),
        )
        .group_by(walked.c.document)
        .cte(f"{name}_start")
        .prefix_with("MATERIALIZED")
    )


def _walk(
    term: str, impact: ColumnElement[int], points: ColumnElement[int], reach: int
) -> sa.Select[tuple[int, int, int]]:
    """Return the documents of which a term says the most; in a select of its own, as SQLite wants it."""
    best = (
        sa.select(postings.c.document, impact.label("impact"), points.label("points"))
        .where(postings.c.term == bindparam(term))
        .order_by(postings.c.impact.desc(), postings.c.document.desc())
        .limit(_constant(reach))
        .subquery()
    )
    return sa.select(best.c.document, best.c.impact, best.c.points)


def _score(document: ColumnElement[int], names: str) -> ColumnElement[int]:
    """Return what the best of a word's terms says of the document; a term that is not the word itself counts less."""
    own = bindparam(names.format("own"), type_=sa.Text())
    worth = _number(names.format("worth"))
    told = postings.c.impact * sa.case((postings.c.term == own, _constant(100)), else_=worth)
    among = postings.c.term.in_(bindparam(names.format("terms"), expanding=True))
    return _impact(document, among, told) * _number(names.format("weight"))


def _passed(document: ColumnElement[int], names: str) -> ColumnElement[int]:
    """Return 0 where the document has one of a gate's terms, else null."""
    among = postings.c.term.in_(bindparam(names.format("terms"), expanding=True))
    return _impact(document, among, _NOTHING)


def _impact(
    document: ColumnElement[int], condition: ColumnElement[bool], value: ColumnElement[int] = postings.c.impact
) -> ColumnElement[int]:
    selected = sa.select(sa.func.max(value)).where(postings.c.document == document, condition)
    return selected.correlate_except(postings).scalar_subquery()


def _when(condition: ColumnElement[bool], value: int) -> ColumnElement[int]:
    return sa.case((condition, _constant(value)), else_=_NOTHING)


def _constant(value: int) -> ColumnElement[int]:
    return sa.literal_column(str(value), sa.BigInteger())


def _number(name: str) -> sa.BindParameter[int]:
    return bindparam(name, type_=sa.BigInteger())
