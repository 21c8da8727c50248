"""The statement of a search: the best documents of what is rarest in it, what the rest says of them, and the counts.

What is looked for has *parts*: each word, each filter by facet, and who may read. The part that the fewest documents
have *drives*: its terms are *walked*, their documents read in the order of their impact, no more than `REACH` of them.
Whether these have the other parts too, and what the words say of them, their own rows tell. So a word that a million
documents have costs no more than one that thousands have.

There are two *spaces* of terms: of documents for everybody, and of those for some readers, whose terms begin with
`RESTRICTED` where they are walked. Each is gone through by a *way* of its own, the second one only by who may read
something in it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.sql.elements import ColumnElement

from kernel.contracts.search import Sort
from kernel.database import Query
from plugins.search.expressions import Among, Greatest, Impact, Place
from plugins.search.tables import contents, documents, postings
from plugins.search.weighing import FACETS

SHAPES: Final = 1000  # of queries whose statements are kept
REACH: Final = 600  # documents of one part that are looked at
REACH_BESIDE: Final = 100  # of each term by which what has half of the words is come by
FEW: Final = 10  # that have all the words; then those that have half of them are found too
NAMESAKES: Final = 100  # documents that are called exactly like the query
NAME_POINTS: Final = 1_000_000_000  #: for being called exactly like the query
WHOLE_POINTS: Final = 300_000_000  #: for having all of several words; more than the words come to

VECTORS: Final = ("words", "begun")
#: What is read of a document's row beside its words.
FACTS: Final = ("subject_kind", *FACETS, "price", "rating", "duration_seconds", "published")
#: What sorts, the greatest first, of a row of `FACTS`.
SORTED: Final[dict[Sort, Callable[[Any], ColumnElement[int]]]] = {
    "rating": lambda told: told.rating,
    "newest": lambda told: told.published,
    "price": lambda told: -told.price,
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


HIT: Final = "hit"
TOTAL: Final = "total"
WHOLE: Final = "whole"


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """What decides how one space is gone through."""

    walks: int  #: terms of the part that drives; with 0 all documents are gone through in the order of the sort
    beside: int  #: further terms that are walked, by which what has half of the words is come by
    readers: int  #: one of so many must be allowed to read it; with 0 everybody is


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What decides the text of a statement: few shapes, each compiled once."""

    ways: tuple[Way, ...]
    words: tuple[tuple[str, ...], ...]  #: for each word, for each of its terms, the column in which it is looked up
    teaches: bool  #: whether a document must have a term beside the words
    filters: frozenset[str]
    sort: Sort
    further: bool = False  #: begins behind `after_key` and `after_number`
    tallied: bool = True

    @property
    def facets(self) -> Sequence[str]:
        """Return by which facets is filtered."""
        return [facet for facet in FACETS if facet in self.filters]

    @property
    def halves(self) -> bool:
        """Return whether some of the words may do."""
        return len(self.words) > 1

    @property
    def half(self) -> int:
        """Return how many words a document must have where hardly any has them all."""
        return half_of(len(self.words))


def half_of(words: int) -> int:
    """Return how many of so many words are half of them."""
    return (words + 1) // 2


class Row(msgspec.Struct, frozen=True):
    """A hit; or how many matches there are, in all or with one value of a facet."""

    part: str  #: `HIT`, `TOTAL`, `WHOLE` for those that have every word, or the facet
    value: str
    count: int
    sorted_by: int
    number: int
    points: int
    shown: bytes


@functools.lru_cache(SHAPES)
def search(shape: Shape) -> Query[Row]:
    """Return the query for one page and the counts."""
    ways = [_way(way, f"way_{number}", shape) for number, way in enumerate(shape.ways)]
    facts = sa.union_all(*ways).cte("facts")
    found = _found(facts, shape).cte("found").prefix_with("MATERIALIZED")
    matches = _Matches(shape, found, _counted(found, shape).cte("counted").prefix_with("MATERIALIZED"))
    return Query(sa.union_all(_page(matches), *_tallies(matches)) if shape.tallied else _page(matches), Row)


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


def _found(facts: sa.CTE, shape: Shape) -> sa.Select[Any]:
    """Return what passes the filters, but for the filter of one facet at most: see `_failed`."""
    found = (
        sa.select(*(facts.c[name] for name in ("document", "points", "met", *FACETS)))
        .where(facts.c.subject_kind.in_(bindparam("sources", expanding=True)))
        .where(*(passes(facts.c) for name, passes in _NUMBERS.items() if name in shape.filters))
    )
    if shape.sort != "relevance":
        found = found.add_columns(SORTED[shape.sort](facts.c).label("sorted_by"))
    if shape.facets:
        failed = _failed(facts, shape.facets)
        found = found.add_columns(failed.label("failed")).where(failed.is_not(None))
    return found


def _failed(facts: sa.CTE, asked: Sequence[str]) -> ColumnElement[int]:
    """Return which facet's filter is the only one that a document does not pass: null where there are several."""
    passes = {facet: facts.c[facet].in_(bindparam(facet, expanding=True)) for facet in asked}
    cases = [(sa.and_(*(passes[facet] for facet in asked)), _NOTHING)]
    for one in asked:
        others = sa.and_(sa.true(), *(passes[facet] for facet in asked if facet != one))
        cases.append((others, _constant(FACETS.index(one) + 1)))
    return sa.case(*cases, else_=sa.null())


def _counted(found: sa.CTE, shape: Shape) -> sa.Select[Any]:
    """Return how many have every word, and how many words are enough for that."""
    whole = sa.func.count().label("whole")
    least = sa.case((sa.func.count() >= _constant(FEW), _constant(len(shape.words))), else_=_constant(shape.half))
    every = found.c.met == _constant(len(shape.words))
    return sa.select(whole, least.label("least")).select_from(found).where(every, *_unfiltered(found, shape))


@dataclass(frozen=True)
class _Matches:
    """What was found, of which those with fewer words count only where hardly any has them all."""

    shape: Shape
    found: sa.CTE
    counted: sa.CTE

    def passed(self, *, but: str = "") -> Iterator[ColumnElement[bool]]:
        """Yield the conditions of a match that passes the filters of all facets *but* one."""
        if self.shape.halves:
            yield self.found.c.met >= sa.select(self.counted.c.least).scalar_subquery()
        yield from _unfiltered(self.found, self.shape, but=but)


def _unfiltered(found: sa.CTE, shape: Shape, *, but: str = "") -> Iterator[ColumnElement[bool]]:
    if shape.facets:
        yield found.c.failed.in_([0, FACETS.index(but) + 1] if but else [0])


def _page(matches: _Matches) -> sa.Select[Any]:
    found, shape = matches.found, matches.shape
    key = found.c.points if shape.sort == "relevance" else found.c.sorted_by
    chosen = (
        sa.select(key.label("sorted_by"), found.c.document, found.c.points)
        .where(*matches.passed())
        .order_by(key.desc(), found.c.document.desc())
        .limit(bindparam("limit"))
    )
    if shape.further:
        place = sa.tuple_(_number("after_key"), _number("after_number"))
        chosen = chosen.where(sa.tuple_(key, found.c.document) < place)
    page = chosen.subquery("page")
    counted = (_text(HIT).label("part"), _text("").label("value"), _NOTHING.label("count"))
    own = (page.c.sorted_by, page.c.document.label("number"), page.c.points, contents.c.shown)
    return sa.select(*counted, *own).join_from(page, contents, contents.c.document == page.c.document)


def _tallies(matches: _Matches) -> Iterator[sa.Select[Any]]:
    """Yield how many matches there are, and with each value of each facet as if it had no filter of its own."""
    number = sa.func.count()
    yield _tally(TOTAL, _text(""), number).where(*matches.passed()).select_from(matches.found)
    if matches.shape.halves:
        yield _tally(WHOLE, _text(""), matches.counted.c.whole)
    for facet in FACETS:
        value = matches.found.c[facet]
        yield _tally(facet, value, number).where(*matches.passed(but=facet)).group_by(value)


def _tally(part: str, value: ColumnElement[str], count: ColumnElement[int]) -> sa.Select[Any]:
    none = [_NOTHING.label(name) for name in ("sorted_by", "number", "points")]
    shown = sa.cast(_text(""), sa.LargeBinary).label("shown")
    counted: list[ColumnElement[Any]] = [value.label("value"), count.label("count"), *none, shown]
    return sa.select(_text(part).label("part"), *counted)


def _way(way: Way, name: str, shape: Shape) -> sa.Select[Any]:
    """Return what filters, counts and sorts the documents that one way reaches, with their points."""
    looked = _looked(way, name, shape)
    scores = [_score(looked, word, columns) for word, columns in enumerate(shape.words)]
    points: ColumnElement[int] = sum(scores, looked.c.bonus)
    met = sum((_met(looked, word, len(columns)) for word, columns in enumerate(shape.words)), _NOTHING)
    if shape.halves:
        points = points + sa.case((met == _constant(len(shape.words)), _constant(WHOLE_POINTS)), else_=_NOTHING)
    own = (looked.c.number.label("document"), met.label("met"), sa.cast(points, sa.BigInteger).label("points"))
    return sa.select(*own, *(looked.c[fact] for fact in FACTS)).where(met >= _constant(shape.half))


def _looked(way: Way, name: str, shape: Shape) -> sa.Subquery:
    """Return the rows of the documents that were walked to and pass the gates, with the places of their terms.

    The offset keeps the database from looking for a place again wherever it is spoken of.
    """
    places = [
        Place(documents.c[column], _key(f"key_{word}_{term}")).label(f"place_{word}_{term}")
        for word, columns in enumerate(shape.words)
        for term, column in enumerate(columns)
    ]
    told = [documents.c[column] for column in ("number", *VECTORS, *FACTS)]
    looked = sa.select(*told, *places, _bonus(way, name).label("bonus")).where(*_gates(way, shape))
    if way.walks:
        looked = looked.where(Among(documents.c.number, _walked(way, name))).offset(_NOTHING)
    else:
        looked = looked.order_by(*_ORDERED[shape.sort]).limit(_constant(REACH))
    return looked.subquery(f"{name}_looked")


def _gates(way: Way, shape: Shape) -> Iterator[ColumnElement[bool]]:
    """Yield what a document must have beside words."""
    if way.readers:
        readers = [bindparam(f"reader_{reader}", type_=sa.Text()) for reader in range(way.readers)]
        yield sa.or_(*(Place(documents.c.readers, reader) > _NOTHING for reader in readers))
    else:
        yield documents.c.public
    if shape.teaches:
        yield Place(documents.c.words, _key("teaches")) > _NOTHING


def _score(looked: sa.Subquery, word: int, columns: Sequence[str]) -> ColumnElement[int]:
    """Return what a word says of a document: as much as the term that says the most."""
    places = (looked.c[f"place_{word}_{term}"] for term in range(len(columns)))
    impacts = (Impact(looked.c[column], place) for column, place in zip(columns, places, strict=True))
    return Greatest(*(impact * _number(f"factor_{word}_{term}") for term, impact in enumerate(impacts)))


def _met(looked: sa.Subquery, word: int, terms: int) -> ColumnElement[int]:
    places = (looked.c[f"place_{word}_{term}"] for term in range(terms))
    return sa.case((sa.or_(*(place > _NOTHING for place in places)), _constant(1)), else_=_NOTHING)


def _walked(way: Way, name: str) -> sa.ScalarSelect[int]:
    """Return the documents of which the walked terms say the most, and those that are called exactly like the query."""
    walks = [_walk(f"{name}_walk_{term}", REACH) for term in range(way.walks)]
    beside = [_walk(f"{name}_beside_{term}", REACH_BESIDE) for term in range(way.beside)]
    walked = sa.union_all(*walks, *beside, _walk(f"{name}_name", NAMESAKES)).subquery()
    return sa.select(walked.c.document).scalar_subquery()


def _bonus(way: Way, name: str) -> ColumnElement[int]:
    """Return the points for being called exactly like the query."""
    if not way.walks:
        return _NOTHING
    named = Among(documents.c.number, _walk(f"{name}_name", NAMESAKES).scalar_subquery())
    return sa.case((named, _constant(NAME_POINTS)), else_=_NOTHING)


def _walk(term: str, reach: int) -> sa.Select[tuple[int]]:
    """Return the documents of which a term says the most; in a select of its own, as SQLite wants it."""
    best = (
        sa.select(postings.c.document)
        .where(postings.c.term == _key(term))
        .order_by(postings.c.impact.desc(), postings.c.document.desc())
        .limit(_constant(reach))
        .subquery()
    )
    return sa.select(best.c.document)


def _key(name: str) -> sa.BindParameter[bytes]:
    return bindparam(name, type_=sa.LargeBinary())


def _text(value: str) -> ColumnElement[str]:
    return sa.literal_column(f"'{value}'", sa.Text())


def _constant(value: int) -> ColumnElement[int]:
    return sa.literal_column(str(value), sa.BigInteger())


def _number(name: str) -> sa.BindParameter[int]:
    return bindparam(name, type_=sa.BigInteger())
