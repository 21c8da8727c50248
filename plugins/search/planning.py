"""What is asked of the index: the ways through it for one caller and one query, each beginning with what is rarest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from kernel import Principal
from kernel.contracts.search import Query, permitted, person
from plugins.search.matching import REACH, REACH_OF_HALF, Chain, Driver, Halves, Shape, Step
from plugins.search.reading import Reading, Slot
from plugins.search.weighing import FACETS, READS, RESTRICTED, TEACHES, of_facet

Way = tuple[Chain | Halves, dict[str, object]]  #: with the values that it binds

PUBLIC: Final = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a document must have: a word, or one of a gate's terms."""

    terms: tuple[str, ...]
    documents: int  #: that have it
    slot: Slot | None = None  #: of a word
    facet: str = ""  #: of a gate that only drives: its filter is looked at in any case, for the counts

    @property
    def step(self) -> Step:
        """What it is when something else drives."""
        return "gate" if self.slot is None else "word"

    @property
    def driver(self) -> Driver:
        """How a chain begins with it."""
        if self.slot is None:
            return "gate"
        return "own" if self.slot.terms == (self.slot.own,) else "word"


class Plan(msgspec.Struct, frozen=True):
    """A search as it is put to the database."""

    shape: Shape
    values: Mapping[str, object]
    exact: bool  #: whether no part has more documents than are looked at
    driving: frozenset[str]  #: facets of which only documents that pass the filter are looked at
    whole: bool  #: whether every word has to match, or else half of them


def gates(caller: Principal | None, query: Query) -> list[str]:
    """Return the terms beside the words by which a search may go."""
    wanted = _wanted(query)
    return [*_readers(caller), *_teaches(query), *(term for terms in wanted.values() for term in terms)]


def plan(
    caller: Principal | None,
    query: Query,
    reading: Reading,
    sources: Iterable[str],
    *,
    whole: bool = True,
    without: frozenset[str] = frozenset(),
) -> Plan:
    """Return how to search, going by no filter of the facets *without*."""
    parts = [_parts(space, caller, query, reading, without) for space in _spaces(caller, reading)]
    spaces = list(zip(_spaces(caller, reading), parts, strict=True))
    ordered = whole and not query.text.strip() and query.sort != "relevance"
    ways = [
        _chain(number, space, found, reading, ordered=ordered) if whole else _halves(number, space, found, reading)
        for number, (space, found) in enumerate(spaces)
    ]
    filters = _filters(query)
    shape = Shape(ways=tuple(way for way, _ in ways), filters=frozenset(filters), sort=query.sort)
    values: dict[str, object] = {"sources": sorted(sources), **filters}
    for _, bound in ways:
        values |= bound
    drivers = [min(found, key=lambda part: part.documents) for found in parts] if whole else []
    return Plan(
        shape=shape,
        values=values,
        exact=all(_is_exact(found, whole=whole) for found in parts),
        driving=frozenset(part.facet for part in drivers if part.facet),
        whole=whole,
    )


def _is_exact(parts: Sequence[Part], *, whole: bool) -> bool:
    if whole:
        return min(part.documents for part in parts) <= REACH
    rarer = _rarer([part for part in parts if part.slot is not None])
    share = REACH_OF_HALF // sum(len(part.terms) for part in rarer)
    return all(part.documents <= share for part in rarer)


def _rarer(words: Sequence[Part]) -> list[Part]:
    """Return so many of the rarest words that whatever has half of all words has one of these."""
    least = (len(words) + 1) // 2
    return sorted(words, key=lambda part: part.documents)[: len(words) - least + 1]


def _spaces(caller: Principal | None, reading: Reading) -> list[str]:
    """Return the spaces in which the caller may find something."""
    readable = reading.documents(RESTRICTED + term for term in _readers(caller))
    return [PUBLIC, RESTRICTED] if readable else [PUBLIC]


def _parts(space: str, caller: Principal | None, query: Query, reading: Reading, without: frozenset[str]) -> list[Part]:
    """Return what a document of the space must have; words first where equally many have them."""
    found = [
        Part(terms=terms, documents=reading.documents(terms), slot=slot)
        for slot in reading.slots
        for terms in (_in(space, slot.terms),)
    ]
    by_readers = _readers(caller) if space == RESTRICTED else []
    gated = [("", by_readers), ("", _teaches(query)), *_wanted(query).items()]
    for facet, plain in gated:
        if plain and not (facet and facet in without):
            terms = _in(space, plain)
            found.append(Part(terms=terms, documents=reading.documents(terms), facet=facet))
    return found


def _chain(number: int, space: str, parts: Sequence[Part], reading: Reading, *, ordered: bool) -> Way:
    first, *others = sorted(parts, key=lambda part: part.documents)
    others = [part for part in others if not part.facet]
    name = f"way_{number}"
    if ordered and first.documents > REACH and space == PUBLIC:
        must = [part for part in parts if part.slot is None and not part.facet]
        return Chain(driver="order", terms=0, steps=tuple(part.step for part in must)), dict(_bound_all(name, must, 1))
    chain = Chain(
        driver=first.driver,
        terms=len(first.terms),
        steps=tuple(part.step for part in others),
    )
    values: dict[str, object] = {f"{name}_name": space + reading.name}
    values |= {f"{name}_driver_{place}": term for place, term in enumerate(first.terms)}
    if first.driver == "own" and first.slot is not None:
        values[f"{name}_weight_0"] = first.slot.weight
        return chain, values | dict(_bound_all(name, others, 1))
    return chain, values | dict(_bound_all(name, [first, *others], 0))


def _halves(number: int, space: str, parts: Sequence[Part], reading: Reading) -> Way:
    name = f"way_{number}"
    words = [part for part in parts if part.slot is not None]
    must = [part for part in parts if part.slot is None and not part.facet]
    drivers = [term for part in _rarer(words) for term in part.terms]
    values: dict[str, object] = {f"{name}_name": space + reading.name}
    values |= {f"{name}_driver_{place}": term for place, term in enumerate(drivers)}
    halves = Halves(words=len(words), drivers=len(drivers), gates=len(must))
    return halves, values | dict(_bound_all(name, [*words, *must], 0))


def _bound_all(name: str, parts: Sequence[Part], first: int) -> Iterator[tuple[str, object]]:
    for place, part in enumerate(parts, first):
        yield f"{name}_terms_{place}", list(part.terms)
        if part.slot is not None:
            space = part.terms[0][: len(part.terms[0]) - len(part.slot.terms[0])]
            yield f"{name}_own_{place}", space + part.slot.own
            yield f"{name}_worth_{place}", part.slot.worth
            yield f"{name}_weight_{place}", part.slot.weight


def _in(space: str, terms: Iterable[str]) -> tuple[str, ...]:
    return tuple(space + term for term in terms)


def _readers(caller: Principal | None) -> list[str]:
    """Return the terms of what the caller may read beside what everybody may."""
    if caller is None:
        return []
    return [READS + reader for reader in (person(caller.id), *map(permitted, sorted(caller.permissions)))]


def _teaches(query: Query) -> list[str]:
    return [] if query.filters.instructor is None else [f"{TEACHES}{query.filters.instructor}"]


def _wanted(query: Query) -> dict[str, list[str]]:
    """Return the terms of each facet by which is filtered."""
    asked = {facet: getattr(query.filters, facet) for facet in FACETS}
    terms = {facet: [of_facet(facet, value) for value in dict.fromkeys(values)] for facet, values in asked.items()}
    return {facet: found for facet, found in terms.items() if found}


def _filters(query: Query) -> dict[str, object]:
    """Return the filters that a document's own row is held against."""
    told = msgspec.structs.asdict(query.filters)
    given = {name: value for name, value in told.items() if value not in ((), None) and name != "instructor"}
    if query.filters.min_rating is not None:
        given["min_rating"] = round(query.filters.min_rating * 100)  # the index has hundredths
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
