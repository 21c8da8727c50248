"""The provider of `search/1`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from kernel import Context, Principal
from kernel.contracts.search import Count, Found, Hit, Query, Reason, Results
from plugins.search import matching
from plugins.search.indexing import Indexing
from plugins.search.matching import Row
from plugins.search.planning import Plan, gates, plan
from plugins.search.reading import Reading, Slot, read
from plugins.search.settings import SearchSettings
from plugins.search.weighing import FACETS

NOTHING: Final = Results(hits=(), next=None, total=0, exact=True, counts=dict.fromkeys(FACETS, ()), corrected={})

_decode_found: Final = msgspec.json.Decoder(Found).decode
_decode_terms: Final = msgspec.json.Decoder(dict[str, int]).decode


class SearchService:
    """Finds in the read model."""

    def __init__(self, ctx: Context[SearchSettings]) -> None:
        self._db = ctx.db
        self._indexing = ctx.own(Indexing)

    async def find(self, caller: Principal | None, query: Query) -> Results:
        reading = await self._read(caller, query)
        if not reading.slots:
            return NOTHING
        asked = self._plan(caller, query, reading)
        rows = await self._rows(asked, query)
        counts = {facet: _counts(facet, rows) for facet in FACETS}
        for facet in asked.driving:  # of this one only what passes its filter was looked at
            beside = self._plan(caller, query, reading, without=frozenset((facet,)))
            counts[facet] = _counts(facet, await self._rows(beside, query))
        matches = _hits(rows)
        shown = matches[: query.limit]
        why = await self._explained(reading, shown) if query.explain else {}
        return Results(
            hits=tuple(
                Hit(found=_decode_found(one.shown), points=one.points, why=why.get(one.number, ())) for one in shown
            ),
            next=(shown[-1].sorted_by, shown[-1].number) if len(matches) > query.limit else None,
            total=_count(matching.TOTAL, rows),
            exact=asked.is_exact(whole=len(reading.slots) == 1 or _count(matching.WHOLE, rows) >= matching.FEW),
            counts=counts,
            corrected=reading.corrected,
        )

    async def suggest(self, caller: Principal | None, text: str, limit: int) -> Sequence[Found]:
        query = Query(text=text, limit=limit)
        reading = await self._read(caller, query)
        if not reading.slots:
            return []
        rows = await self._rows(self._plan(caller, query, reading), query, tallied=False)
        return [_decode_found(one.shown) for one in _hits(rows)[:limit]]

    async def _read(self, caller: Principal | None, query: Query) -> Reading:
        return await read(self._db, query.text, gates(caller, query), restricted=caller is not None)

    def _plan(
        self, caller: Principal | None, query: Query, reading: Reading, *, without: frozenset[str] = frozenset()
    ) -> Plan:
        return plan(caller, query, reading, self._indexing.sources(), without=without)

    async def _rows(self, asked: Plan, query: Query, *, tallied: bool = True) -> list[Row]:
        place = {} if query.after is None else {"after_key": query.after[0], "after_number": query.after[1]}
        shape = msgspec.structs.replace(asked.shape, further=bool(place), tallied=tallied)
        return await self._db.all(matching.search(shape), limit=query.limit + 1, **asked.values, **place)

    async def _explained(self, reading: Reading, matches: Sequence[Row]) -> Mapping[int, tuple[Reason, ...]]:
        found = await self._db.all(matching.CONTENTS, numbers=[match.number for match in matches])
        terms = {one.document: _decode_terms(one.terms) for one in found}
        return {match.number: tuple(_reasons(reading, terms[match.number], match)) for match in matches}


def _hits(rows: Iterable[Row]) -> list[Row]:
    hits = (row for row in rows if row.part == matching.HIT)
    return sorted(hits, key=lambda row: (row.sorted_by, row.number), reverse=True)


def _count(part: str, rows: Iterable[Row]) -> int:
    return sum(row.count for row in rows if row.part == part)


def _counts(facet: str, rows: Iterable[Row]) -> tuple[Count, ...]:
    mine = sorted((row for row in rows if row.part == facet and row.value), key=lambda row: (-row.count, row.value))
    return tuple(Count(value=row.value, count=row.count) for row in mine)


def _reasons(reading: Reading, impacts: Mapping[str, int], match: Row) -> list[Reason]:
    """Return what brought a document its points; computed like those of the statement."""
    name = reading.name
    named = match.points >= matching.NAME_POINTS
    exactly = [Reason(word=name, terms=(name,), points=matching.NAME_POINTS)] if named else []
    each = [_reason(slot, impacts) for slot in reading.slots]
    all_of_them = len(each) > 1 and all(reason.points for reason in each)
    every = [Reason(word="", terms=(), points=matching.WHOLE_POINTS)] if all_of_them else []
    return exactly + every + each


def _reason(slot: Slot, impacts: Mapping[str, int]) -> Reason:
    had = {term: impacts[term] * slot.factor(term) for term in slot.terms if term in impacts}
    return Reason(word=slot.word, terms=tuple(had), points=max(had.values(), default=0))
