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
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from kernel.contracts.search import Sort
from kernel.database import Query
from plugins.search.tables import contents, documents, postings
from plugins.search.weighing import FACETS

SHAPES: Final = 1000  # of queries whose statements are kept
REACH: Final = 600  # documents of one part that are looked at
REACH_OF_HALF: Final = 400  # where half of the words are enough: of all of them together
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
_NUMBERS: Final[dict[str, Callable[[Any], ColumnElement[bool]]]] = {
    "max_price": lambda told: told.price.between(sa.literal_column("0"), _number("max_price")),
    "min_rating": lambda told: told.rating >= _number("min_rating"),
    "max_duration_seconds": lambda told: told.duration_seconds.between(
        sa.literal_column("0"), _number("max_duration_seconds")
    ),
}
_NOTHING: Final[ColumnElement[int]] = sa.literal_column("0", sa.BigInteger())


class Among(FunctionElement[bool]):
    """Whether a number is among those of a select: PostgreSQL looks a sorted array up in one go through the index."""

    type = sa.Boolean()
    inherit_cache = True


@compiles(Among, "postgresql")
def _on_postgresql(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    number, numbers = (compiler.process(part, **options) for part in element.clauses)
    return f"({number} = ANY (ARRAY{numbers}))"


@compiles(Among, "sqlite")
def _on_sqlite(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    number, numbers = (compiler.process(part, **options) for part in element.clauses)
    return f"({number} IN {numbers})"


HIT: Final = "hit"
TOTAL: Final = "total"

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

    words: int
    drivers: int  #: terms of the rarer words, one of which whatever has half of the words has
    gates: int


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What decides the text of a statement: few shapes, each compiled once."""

    ways: tuple[Chain | Halves, ...]
    filters: frozenset[str]
    sort: Sort
    further: bool = False  #: begins behind `after_key` and `after_number`
    tallied: bool = True


class Row(msgspec.Struct, frozen=True):
    """A hit; or how many matches there are, in all or with one value of a facet."""

    part: str  #: `HIT`, `TOTAL`, or the facet
    value: str
    count: int
    sorted_by: int
    number: int
    points: int
    shown: bytes


@functools.lru_cache(SHAPES)
def search(shape: Shape) -> Query[Row]:
    """Return the query for one page and the counts."""
    ways = [_way(way, number, shape.sort) for number, way in enumerate(shape.ways)]
    reached = sa.union_all(*ways).cte("reached").prefix_with("MATERIALIZED")
    facts = _facts(reached, shape).cte("facts").prefix_with("MATERIALIZED")
    matches = _matches(facts, shape).cte("matches").prefix_with("MATERIALIZED")
    page = _page(matches, shape)
    return Query(sa.union_all(page, *_tallies(matches)) if shape.tallied else page, Row)


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


def _facts(reached: sa.CTE, shape: Shape) -> sa.Select[Any]:
    """Return what filters, counts and sorts the documents that were reached.

    It has no condition of its own, so that the database has no choice but to look each document up by its number.
    """
    key = reached.c.points if shape.sort == "relevance" else SORTED[shape.sort]
    columns = [documents.c[name] for name in ("subject_kind", *FACETS, "price", "rating", "duration_seconds")]
    return sa.select(reached.c.document, reached.c.points, key.label("sorted_by"), *columns).join_from(
        reached, documents, documents.c.number == reached.c.document
    )


def _matches(facts: sa.CTE, shape: Shape) -> sa.Select[Any]:
    failed = _failed(facts, shape)
    told = [facts.c[name] for name in ("document", "points", "sorted_by", *FACETS)]
    return (
        sa.select(*told, (_NOTHING if failed is None else failed).label("failed"))
        .where(facts.c.subject_kind.in_(bindparam("sources", expanding=True)))
        .where(*(passes(facts.c) for name, passes in _NUMBERS.items() if name in shape.filters))
        .where(*([] if failed is None else [failed.is_not(None)]))
    )


def _failed(facts: sa.CTE, shape: Shape) -> ColumnElement[int] | None:
    """Return which facet's filter is the only one that a document does not pass: null where there are several."""
    passes = {facet: facts.c[facet].in_(bindparam(facet, expanding=True)) for facet in FACETS}
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
    counted = (_text(HIT).label("part"), _text("").label("value"), _NOTHING.label("count"))
    own = (page.c.sorted_by, page.c.document.label("number"), page.c.points, contents.c.shown)
    return sa.select(*counted, *own).join_from(page, contents, contents.c.document == page.c.document)


def _tallies(matches: sa.CTE) -> Iterator[sa.Select[Any]]:
    """Yield how many matches there are, and with each value of each facet as if it had no filter of its own."""
    yield _tally(TOTAL, _text("")).where(matches.c.failed == _NOTHING).select_from(matches)
    for place, facet in enumerate(FACETS, 1):
        value = matches.c[facet]
        passed = matches.c.failed.in_([0, place])
        yield _tally(facet, value).where(passed, value != _text("")).group_by(value)


def _tally(part: str, value: ColumnElement[str]) -> sa.Select[Any]:
    none = [_NOTHING.label(name) for name in ("sorted_by", "number", "points")]
    shown = sa.cast(_text(""), sa.LargeBinary).label("shown")
    counted: list[ColumnElement[Any]] = [value.label("value"), sa.func.count().label("count"), *none, shown]
    return sa.select(_text(part).label("part"), *counted)


def _way(way: Chain | Halves, number: int, sort: Sort) -> sa.Select[Any]:
    """Return the documents that one way reaches, with their points."""
    name = f"way_{number}"
    if isinstance(way, Halves):
        return _halves(way, name)
    return _chain(way, name, sort)


def _chain(chain: Chain, name: str, sort: Sort) -> sa.Select[Any]:
    """Return what has every part: looked up one part after another, for those that are left."""
    bonus = [] if chain.driver == "order" else [_namesakes(name)]
    found = [_in_order(sort, name) if chain.driver == "order" else _driven(chain, name)]
    for place, step in enumerate(chain.steps, 1):
        found.append(_found(step, found[-1], name, place))
    return _summed([*found, *bonus], len(found))


def _driven(chain: Chain, name: str) -> sa.CTE:
    """Return the documents that a chain begins with, and what the driver says of them.

    A term says of those that were walked to what the walk tells; another form of the word may say more.
    """
    walks = [_walk(f"{name}_driver_{term}", REACH) for term in range(chain.terms)]
    walked = sa.union_all(*walks).cte(f"{name}_walked").prefix_with("MATERIALIZED")
    named = sa.select(_named(name).c.document)
    if chain.driver != "own":
        everyone = sa.union(sa.select(walked.c.document), named).cte(f"{name}_start").prefix_with("MATERIALIZED")
        return _found("gate" if chain.driver == "gate" else "word", everyone, name, 0)
    worth = _constant(100) * _number(f"{name}_weight_0")
    beside = sa.select(postings.c.document, (postings.c.impact * worth).label("score")).where(
        postings.c.term == bindparam(f"{name}_driver_0"), Among(postings.c.document, named.scalar_subquery())
    )
    both = sa.union(sa.select(walked.c.document, (walked.c.impact * worth).label("score")), beside)
    return both.cte(f"{name}_0").prefix_with("MATERIALIZED")


def _in_order(sort: Sort, name: str) -> sa.CTE:
    """Return the first of all documents in the order of the sort."""
    best = sa.select(documents.c.number).where(documents.c.public).order_by(*_ORDERED[sort])
    first = best.limit(_constant(REACH)).subquery(f"{name}_first")
    walked = sa.select(first.c.number.label("document"), _NOTHING.label("score"))
    return walked.cte(f"{name}_0").prefix_with("MATERIALIZED")


def _halves(halves: Halves, name: str) -> sa.Select[Any]:
    """Return what has half of the words: each is among the documents of one of the rarer words."""
    drivers = [f"{name}_driver_{term}" for term in range(halves.drivers)]
    walks = [_walk(driver, max(1, REACH_OF_HALF // len(drivers))) for driver in drivers]
    walked = sa.union_all(*walks).subquery(f"{name}_walked")
    everyone = sa.union(sa.select(walked.c.document), sa.select(_named(name).c.document))
    before = everyone.cte(f"{name}_start").prefix_with("MATERIALIZED")
    for gate in range(halves.gates):
        before = _found("gate", before, name, halves.words + gate)
    words = [_found("word", before, name, word) for word in range(halves.words)]
    return _summed([*words, _namesakes(name)], (halves.words + 1) // 2, whole=halves.words)


def _found(step: Step, before: sa.CTE, name: str, place: int) -> sa.CTE:
    """Return those of *before* that have a part, and what it says of them."""
    terms = postings.c.term.in_(bindparam(f"{name}_terms_{place}", expanding=True))
    score: ColumnElement[int] = _NOTHING
    if step == "word":
        own = postings.c.term == bindparam(f"{name}_own_{place}", type_=sa.Text())
        told = postings.c.impact * sa.case((own, _constant(100)), else_=_number(f"{name}_worth_{place}"))
        score = sa.func.max(told) * _number(f"{name}_weight_{place}")
    known = sa.select(before.c.document).scalar_subquery()
    found = sa.select(postings.c.document, score.label("score")).where(terms, Among(postings.c.document, known))
    return found.group_by(postings.c.document).cte(f"{name}_{place}").prefix_with("MATERIALIZED")


def _summed(found: Sequence[sa.CTE], least: int, whole: int | None = None) -> sa.Select[Any]:
    """Return the documents of which at least so many of *found* say something, with the sum of what they say."""
    each = [
        sa.select(
            one.c.document,
            one.c.score,
            (_NOTHING if "namesakes" in one.name else _constant(1)).label("met"),
        )
        for one in found
    ]
    every = sa.union_all(*each).subquery()
    met = sa.func.sum(every.c.met)
    points: ColumnElement[int] = sa.func.sum(every.c.score)
    if whole is not None:
        points = points + sa.case((met == _constant(whole), _constant(WHOLE_POINTS)), else_=_NOTHING)
    summed = sa.select(every.c.document, sa.cast(points, sa.BigInteger).label("points")).group_by(every.c.document)
    return summed.having(met >= _constant(least))


def _named(name: str) -> sa.Subquery:
    """Return the documents that are called exactly like the query."""
    return _walk(f"{name}_name", NAMESAKES).subquery()


def _namesakes(name: str) -> sa.CTE:
    named = _named(name)
    bonus = sa.select(named.c.document, _constant(NAME_POINTS).label("score"))
    return bonus.cte(f"{name}_namesakes").prefix_with("MATERIALIZED")


def _walk(term: str, reach: int) -> sa.Select[Any]:
    """Return the documents of which a term says the most; in a select of its own, as SQLite wants it."""
    best = (
        sa.select(postings.c.document, postings.c.impact)
        .where(postings.c.term == bindparam(term))
        .order_by(postings.c.impact.desc(), postings.c.document.desc())
        .limit(_constant(reach))
        .subquery()
    )
    return sa.select(best.c.document, best.c.impact)


def _text(value: str) -> ColumnElement[str]:
    return sa.literal_column(f"'{value}'", sa.Text())


def _constant(value: int) -> ColumnElement[int]:
    return sa.literal_column(str(value), sa.BigInteger())


def _number(name: str) -> sa.BindParameter[int]:
    return bindparam(name, type_=sa.BigInteger())
