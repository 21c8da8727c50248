"""The provider of `search/1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from kernel import Context, Principal
from kernel.contracts.search import EVERYBODY, Count, Found, Hit, Query, Reason, Results, permitted, person
from plugins.search import matching
from plugins.search.indexing import Indexing
from plugins.search.matching import FACETS, REACH, Match, Shape, Tally
from plugins.search.reading import Reading, Slot, read
from plugins.search.settings import SearchSettings

_decode_found: Final = msgspec.json.Decoder(Found).decode


FEW: Final = 10  # that have all the words; then those that have half of them are shown too
NOTHING: Final = Results(hits=(), next=None, total=0, exact=True, counts=dict.fromkeys(FACETS, ()), corrected={})


class Asked(msgspec.Struct, frozen=True):
    """A search as it is put to the database."""

    reading: Reading
    shape: Shape
    values: Mapping[str, object]
    exact: bool  #: whether no term has more documents than are looked at


class SearchService:
    """Finds in the read model."""

    def __init__(self, ctx: Context[SearchSettings]) -> None:
        self._db = ctx.db
        self._indexing = ctx.own(Indexing)

    async def find(self, caller: Principal | None, query: Query) -> Results:
        reading = await read(self._db, query.text)
        if not reading.slots:
            return NOTHING
        asked = self._asked(caller, query, reading, whole=True)
        total, counts = await self._counted(asked)
        if total < FEW and len(reading.slots) > 1:  # behind what has all the words, what has half of them
            asked = self._asked(caller, query, reading, whole=False)
            total, counts = await self._counted(asked)
        matches = await self._page(asked, query) if total else []
        shown = matches[: query.limit]
        why = await self._explained(asked, shown) if query.explain else {}
        return Results(
            hits=tuple(
                Hit(found=_decode_found(one.shown), points=one.points, why=why.get(one.number, ())) for one in shown
            ),
            next=(shown[-1].sorted_by, shown[-1].number) if len(matches) > query.limit else None,
            total=total,
            exact=asked.exact,
            counts=counts,
            corrected=reading.corrected,
        )

    async def suggest(self, caller: Principal | None, text: str, limit: int) -> Sequence[Found]:
        query = Query(text=text, limit=limit)
        reading = await read(self._db, text)
        if not reading.slots:
            return []
        matches = await self._page(self._asked(caller, query, reading, whole=True), query)
        return [_decode_found(one.shown) for one in matches[:limit]]

    def _asked(self, caller: Principal | None, query: Query, reading: Reading, *, whole: bool) -> Asked:
        driving = reading.slots[:1] if whole else reading.slots
        terms = [term for slot in driving for term in slot.terms]
        filters = _filters(query)
        shape = Shape(slots=len(reading.slots), drivers=len(terms), filters=frozenset(filters), whole=whole)
        values = {
            "sources": sorted(self._indexing.sources()),
            "readers": _readers(caller),
            "name_term": reading.name,
            **{f"driver_{number}": term for number, term in enumerate(terms)},
            **{name: value for number, slot in enumerate(reading.slots) for name, value in _bound(number, slot)},
        }
        return Asked(reading, shape, values | filters, all(slot.documents <= REACH for slot in driving))

    async def _counted(self, asked: Asked) -> tuple[int, Mapping[str, tuple[Count, ...]]]:
        tallies = await self._db.all(matching.tally(asked.shape), **asked.values)
        total = next(one.count for one in tallies if not one.facet)
        return total, {facet: _counts(facet, tallies) for facet in FACETS}

    async def _page(self, asked: Asked, query: Query) -> list[Match]:
        place = {} if query.after is None else {"after_key": query.after[0], "after_number": query.after[1]}
        statement = matching.page(asked.shape, query.sort, further=bool(place))
        return await self._db.all(statement, limit=query.limit + 1, **asked.values, **place)

    async def _explained(self, asked: Asked, matches: Sequence[Match]) -> Mapping[int, tuple[Reason, ...]]:
        slots, name = asked.reading.slots, asked.reading.name
        terms = sorted({name, *(term for slot in slots for term in slot.terms)})
        numbers = [match.number for match in matches]
        found = await self._db.all(matching.CONTRIBUTIONS, numbers=numbers, terms=terms)
        impacts = {number: {one.term: one.impact for one in found if one.document == number} for number in numbers}
        return {number: tuple(_reasons(slots, name, impacts[number], asked.shape)) for number in numbers}


def _readers(caller: Principal | None) -> list[str]:
    if caller is None:
        return [EVERYBODY]
    return [EVERYBODY, person(caller.id), *map(permitted, sorted(caller.permissions))]


def _filters(query: Query) -> dict[str, object]:
    given = {name: value for name, value in msgspec.structs.asdict(query.filters).items() if value not in ((), None)}
    if query.filters.min_rating is not None:
        given["min_rating"] = round(query.filters.min_rating * 100)  # the index has hundredths
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


def _bound(number: int, slot: Slot) -> list[tuple[str, object]]:
    return [
        (f"own_{number}", slot.own),
        (f"terms_{number}", list(slot.terms)),
        (f"worth_{number}", slot.worth),
        (f"weight_{number}", slot.weight),
    ]


def _hit(match: Match, why: tuple[Reason, ...]) -> Hit:
    return Hit(found=_decode_found(match.shown), points=match.points, why=why)


def _counts(facet: str, tallies: Sequence[Tally]) -> tuple[Count, ...]:
    mine = sorted((one for one in tallies if one.facet == facet), key=lambda one: (-one.count, one.value))
    return tuple(Count(value=one.value, count=one.count) for one in mine)


def _reasons(slots: Sequence[Slot], name: str, impacts: Mapping[str, int], shape: Shape) -> list[Reason]:
    exactly = [Reason(word=name, terms=(name,), points=matching.NAME_POINTS)] if name in impacts else []
    each = [_reason(slot, impacts) for slot in slots]
    all_of_them = not shape.whole and all(reason.points for reason in each)
    every = [Reason(word="", terms=(), points=matching.WHOLE_POINTS)] if all_of_them else []
    return exactly + every + each


def _reason(slot: Slot, impacts: Mapping[str, int]) -> Reason:
    """Return what the word of *slot* brought; computed like the points of the statement."""
    had = {term: impacts[term] * (100 if term == slot.own else slot.worth) for term in slot.terms if term in impacts}
    return Reason(word=slot.word, terms=tuple(had), points=slot.weight * max(had.values(), default=0))
