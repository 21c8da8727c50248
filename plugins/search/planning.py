"""What is asked of the index: the ways through it for one caller and one query, each beginning with what is rarest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from kernel import Principal
from kernel.contracts.search import Query, permitted, person
from plugins.search.matching import REACH, REACH_OF_HALF, Shape, Way
from plugins.search.reading import Reading, Slot
from plugins.search.vectors import key
from plugins.search.weighing import BOUND, FACETS, READS, RESTRICTED, TEACHES, of_facet

PUBLIC: Final = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a document must have: a word, one of a gate's terms, or one value of a facet."""

    terms: tuple[str, ...]
    documents: int  #: that have it
    is_word: bool = False
    facet: str = ""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How one space is gone through."""

    way: Way
    walked: tuple[str, ...]  #: terms
    exact: bool  #: whether no walk leaves anything out
    facet: str = ""  #: whose values are walked


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
    readers = [READS + reader for reader in _readers(caller)]
    return [*readers, *_teaches(query), *(term for terms in wanted.values() for term in terms)]


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
    readers = _readable(caller, reading)
    words = sorted(reading.slots, key=lambda slot: (len(_padded(slot.terms)), reading.documents(slot.terms)))
    routes = {}
    for space in (PUBLIC, RESTRICTED) if readers else (PUBLIC,):
        parts = _parts(space, query, reading, readers, without)
        way = Way(
            walks=0,
            reach=REACH,
            words=tuple(len(_padded(slot.terms)) for slot in words),
            least=len(words) if whole else (len(words) + 1) // 2,
            teaches=query.filters.instructor is not None,
            readers=len(readers) if space == RESTRICTED else 0,
        )
        routes[space] = _by_all(way, parts, ordered=_is_ordered(query, space)) if whole else _by_half(way, parts)
    filters = _filters(query)
    return Plan(
        shape=Shape(ways=tuple(route.way for route in routes.values()), filters=frozenset(filters), sort=query.sort),
        values={
            "sources": sorted(sources),
            **filters,
            **{f"reader_{place}": BOUND + reader + BOUND for place, reader in enumerate(readers)},
            **{name: key(term) for name, term in zip(("teaches",), _teaches(query), strict=False)},
            **dict(_of_words(words)),
            **dict(_of_walks(routes, reading.name)),
        },
        exact=all(route.exact for route in routes.values()),
        driving=frozenset(route.facet for route in routes.values() if route.facet),
        whole=whole,
    )


def _is_ordered(query: Query, space: str) -> bool:
    """Return whether a space may be gone through in the order of the sort: where hardly anything is left out."""
    everything = space == PUBLIC and not query.text.strip() and query.filters.instructor is None
    return everything and query.sort != "relevance"


def _by_all(way: Way, parts: Sequence[Part], *, ordered: bool) -> Route:
    """Return the route where every part has to be there: by the rarest."""
    rarest = min(parts, key=lambda part: part.documents)
    exact = rarest.documents <= REACH
    if ordered and not exact:
        return Route(way=way, walked=(), exact=False)
    way = msgspec.structs.replace(way, walks=len(rarest.terms))
    return Route(way=way, walked=rarest.terms, exact=exact, facet=rarest.facet)


def _by_half(way: Way, parts: Sequence[Part]) -> Route:
    """Return the route where half of the words are enough: by the rarer ones, one of which is among any half."""
    words = sorted((part for part in parts if part.is_word), key=lambda part: part.documents)
    rarer = words[: len(words) - way.least + 1]
    walked = tuple(term for part in rarer for term in part.terms)
    reach = max(1, REACH_OF_HALF // len(walked))
    exact = all(part.documents <= reach for part in rarer)
    return Route(way=msgspec.structs.replace(way, walks=len(walked), reach=reach), walked=walked, exact=exact)


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
        if route.walked:
            yield f"way_{number}_name", key(space + name)
        for place, term in enumerate(route.walked):
            yield f"way_{number}_walk_{place}", key(term)


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
