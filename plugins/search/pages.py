"""The page `/search`: a form that works without any script, what was found, and filters with their counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kernel import PUBLIC, Context, Request, problems, web
from kernel.contracts.search import Results
from plugins.search.api import SearchQuery, page_of
from plugins.search.finding import SearchService
from plugins.search.settings import SearchSettings
from plugins.search.weighing import FACETS

_HERE: Final = Path(__file__).parent
SHOWN: Final = 20  # hits of a page
VALUES: Final = 12  # of each facet; those that are chosen are shown in any case
SORTS: Final = {"relevance": "Best match", "rating": "Rating", "newest": "Newest", "price": "Price"}
TITLES: Final = {"kind": "What", "category": "Category", "level": "Level", "language": "Language"}


class Value(msgspec.Struct, frozen=True):
    """A value of a facet that can be chosen."""

    value: str
    count: int
    chosen: bool


class FacetShown(msgspec.Struct, frozen=True):
    """A facet with its values."""

    name: str
    title: str
    values: Sequence[Value]


def declarations(ctx: Context[SearchSettings]) -> tuple[web.PageDeclaration, ...]:
    """Return everything that the search gives to the site."""
    rate = str(ctx.settings.searches)
    page = SearchPages(ctx)
    return (
        web.Templates(_HERE / "templates"),
        web.StaticFiles(_HERE / "static"),
        web.Page(path="/search", template="search/search.html", handler=page.search, permission=PUBLIC, rate=rate),
        web.Navigation(label="Search", path="/search", permission=PUBLIC, weight=200),
    )


class SearchPages:
    """Gives the page its values."""

    def __init__(self, ctx: Context[SearchSettings]) -> None:
        self._search = ctx.own(SearchService)

    async def search(self, request: Request) -> Mapping[str, object]:
        """Show what is found by what the address asks for."""
        asked = _asked(request)
        results = await self._search.find(request.caller, asked.asked())
        found = page_of(results, asked)
        further = None if found.next is None else str(request.http.rel_url.update_query(cursor=found.next))
        return {
            "asked": asked,
            "found": found,
            "further": further,
            "facets": [_facet(name, results, asked) for name in FACETS],
            "sorts": SORTS,
            "filtered": any(getattr(asked, name) for name in FACETS),
        }


def _asked(request: Request) -> SearchQuery:
    """Return what the address asks for; a form sends fields that were left empty too."""
    given = request.http.query
    values = {name: given.getall(name) if name in FACETS else given[name] for name in given if any(given.getall(name))}
    try:
        return msgspec.convert({"limit": SHOWN, **values}, SearchQuery, strict=False)
    except msgspec.ValidationError as error:
        raise problems.BadRequest(str(error)) from error


def _facet(name: str, results: Results, asked: SearchQuery) -> FacetShown:
    chosen: Sequence[str] = getattr(asked, name)
    counts = {one.value: one.count for one in results.counts[name]}
    shown = dict.fromkeys([*chosen, *list(counts)[:VALUES]])
    return FacetShown(name, TITLES[name], [Value(value, counts.get(value, 0), value in chosen) for value in shown])
