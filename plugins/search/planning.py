"""What is asked of the index: the ways through it for one caller and one query, each beginning with what is rarest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from kernel import Principal
from kernel.contracts.search import Query, permitted, person
from plugins.search.matching import REACH, REACH_BESIDE, Shape, Way, half_of
from plugins.search.reading import Reading, Slot
from plugins.search.vectors import key
from plugins.search.weighing import BOUND, FACETS, READS, RESTRICTED, TEACHES, column_of, of_facet

PUBLIC: Final = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a document must have: a word, one of a gate's terms, or one value of a facet."""

    terms: tuple[str, ...]
    documents: int  #: that have it
    is_word: bool = False
    facet: str = ""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How one space is gone through."""

    driver: Part | None  #: None: in the order of the sort
    beside: tuple[Part, ...] = ()  #: words by which what has half of them is come by

    @property
    def exact(self) -> bool:
        """Return whether nothing that has every part is left out."""
        return self.driver is not None and self.driver.documents <= REACH

    @property
    def exact_by_half(self) -> bool:
        """Return whether nothing that has half of the words is left out either."""
        return self.exact and all(part.documents <= REACH_BESIDE for part in self.beside)


class Plan(msgspec.Struct, frozen=True):
    """A search as it is put to the database."""

    shape: Shape
    values: Mapping[str, object]
    routes: tuple[Route, ...]

    @property
    def driving(self) -> frozenset[str]:
        """Return the facets of which only documents that pass the filter are looked at."""
        return frozenset(route.driver.facet for route in self.routes if route.driver is not None and route.driver.facet)

    def is_exact(self, *, whole: bool) -> bool:
        """Return whether all matches are looked at, those that have the *whole* query or half of it."""
        return all(route.exact if whole else route.exact_by_half for route in self.routes)


def gates(caller: Principal | None, query: Query) -> list[str]:
    """Return the terms beside the words by which a search may go."""
    wanted = _wanted(query)
    readers = [READS + reader for reader in _readers(caller)]
    return [*readers, *_teaches(query), *(term for terms in wanted.values() for term in terms)]


def plan(
    caller: Principal | None,
    query: Query,
    reading: Reading,
    sources: Iterable[str],
    *,
    without: frozenset[str] = frozenset(),
) -> Plan:
    """Return how to search, going by no filter of the facets *without*."""
    readers = _readable(caller, reading)
    routes = {
        space: _route(space, query, reading, _parts(space, query, reading, readers, without))
        for space in ((PUBLIC, RESTRICTED) if readers else (PUBLIC,))
    }
    words = sorted(reading.slots, key=lambda slot: len(_padded(slot.terms)))  # so there are few shapes
    filters = _filters(query)
    shape = Shape(
        ways=tuple(_way(space, route, readers) for space, route in routes.items()),
        words=tuple(tuple(column_of(term) for term in _padded(slot.terms)) for slot in words),
        teaches=query.filters.instructor is not None,
        filters=frozenset(filters),
        sort=query.sort,
    )
    values = {
        "sources": sorted(sources),
        **filters,
        **{f"reader_{place}": BOUND + reader + BOUND for place, reader in enumerate(readers)},
        **{name: key(term) for name, term in zip(("teaches",), _teaches(query), strict=False)},
        **dict(_of_words(words)),
        **dict(_of_walks(routes, reading.name)),
    }
    return Plan(shape=shape, values=values, routes=tuple(routes.values()))


def _way(space: str, route: Route, readers: Sequence[str]) -> Way:
    return Way(
        walks=0 if route.driver is None else len(route.driver.terms),
        beside=sum(len(part.terms) for part in route.beside),
        readers=len(readers) if space == RESTRICTED else 0,
    )


def _route(space: str, query: Query, reading: Reading, parts: Sequence[Part]) -> Route:
    rarest = min(parts, key=lambda part: part.documents)
    everything = space == PUBLIC and not query.text.strip() and query.filters.instructor is None
    if everything and query.sort != "relevance" and rarest.documents > REACH:
        return Route(driver=None)
    if not rarest.is_word:  # whatever has half of the words has it too
        return Route(driver=rarest)
    words = [part for part in parts if part.is_word]
    known = sorted((part for part in words if part.documents), key=lambda part: part.documents)
    rarer = known[: len(known) - half_of(len(words)) + 1]  # whatever has half of all words has one of these
    return Route(driver=rarer[0], beside=tuple(rarer[1:])) if rarer else Route(driver=rarest)


def _parts(space: str, query: Query, reading: Reading, readers: Sequence[str], without: frozenset[str]) -> list[Part]:
    """Return what a document of the space must have; words first where equally many have them."""
    by_readers = [READS + reader for reader in readers] if space == RESTRICTED else []
    told = [(True, "", slot.terms) for slot in reading.slots]
    told += [(False, "", terms) for terms in (tuple(dict.fromkeys(by_readers)), tuple(_teaches(query)))]
    told += [(False, facet, tuple(terms)) for facet, terms in _wanted(query).items() if facet not in without]
    found = []
    for is_word, facet, plain in told:
        terms = tuple(space + term for term in plain)
        if terms:
            found.append(Part(terms=terms, documents=reading.documents(terms), is_word=is_word, facet=facet))
    return found


def _of_words(words: Iterable[Slot]) -> Iterator[tuple[str, object]]:
    for word, slot in enumerate(words):
        for place, term in enumerate(_padded(slot.terms)):
            yield f"key_{word}_{place}", key(term)
            yield f"factor_{word}_{place}", slot.factor(term)


def _of_walks(routes: Mapping[str, Route], name: str) -> Iterator[tuple[str, object]]:
    for number, (space, route) in enumerate(routes.items()):
        if route.driver is None:
            continue
        yield f"way_{number}_name", key(space + name)
        beside = [term for part in route.beside for term in part.terms]
        for kind, terms in (("walk", route.driver.terms), ("beside", beside)):
            for place, term in enumerate(terms):
                yield f"way_{number}_{kind}_{place}", key(term)


def _padded(terms: Sequence[str]) -> Sequence[str]:
    """Return *terms*, the last one again and again until there are 1, 2, 4 or 8 …: so there are few shapes."""
    length = 1 << (len(terms) - 1).bit_length()
    return [*terms, *([terms[-1]] * (length - len(terms)))]


def _readable(caller: Principal | None, reading: Reading) -> Sequence[str]:
    """Return the readers for whom there is something that is not for everybody, and who the caller is."""
    found = [reader for reader in _readers(caller) if reading.documents([RESTRICTED + READS + reader])]
    return _padded(found) if found else []


def _readers(caller: Principal | None) -> list[str]:
    """Return who the caller is beside everybody."""
    return [] if caller is None else [person(caller.id), *map(permitted, sorted(caller.permissions))]


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
