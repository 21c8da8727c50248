"""The HTTP surface: `/api/v1/search`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final
from uuid import UUID

import msgspec

from kernel import PUBLIC, Answer, Context, PageQuery, RateLimit, Request, Route, get, page, problems
from kernel.contracts.search import LONGEST_QUERY, Count, Filters, Found, Hit, Query, Reason, Results, Sort
from plugins.search.finding import SearchService
from plugins.search.settings import SearchSettings

Text = Annotated[str, msgspec.Meta(max_length=LONGEST_QUERY)]
Value = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Several = Annotated[tuple[Value, ...], msgspec.Meta(max_length=20)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_FILTERS: Final = Filters.__struct_fields__


class Place(msgspec.Struct, array_like=True, frozen=True):
    """A place in what was found."""

    key: Whole
    number: Whole


class SearchQuery(PageQuery, frozen=True, kw_only=True):
    """What to look for; `kind`, `category`, `level` and `language` may be given several times."""

    q: Text = ""
    kind: Several = ()
    category: Several = ()
    level: Several = ()
    language: Several = ()
    instructor: UUID | None = None
    max_price: Annotated[int, msgspec.Meta(ge=0)] | None = None
    min_rating: Annotated[float, msgspec.Meta(ge=1, le=5)] | None = None
    max_duration_seconds: Annotated[int, msgspec.Meta(ge=0)] | None = None
    sort: Sort = "relevance"
    explain: bool = False

    def asked(self) -> Query:
        """Return the query as `search/1` takes it."""
        place = self.after(Place)
        return Query(
            text=self.q,
            filters=Filters(**{name: getattr(self, name) for name in _FILTERS}),
            sort=self.sort,
            limit=self.limit,
            after=None if place is None else (place.key, place.number),
            explain=self.explain,
        )


class FoundItem(Found, frozen=True, kw_only=True):
    """Something that was found."""

    why: tuple[Reason, ...] = ()  #: with `explain=1`: what each word brought


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of what was found."""

    items: list[FoundItem]
    next: str | None  #: the cursor of the following page, None on the last
    total: int
    exact: bool  #: whether *total* and the counts are of all matches; else of the best thousands
    counts: Mapping[str, tuple[Count, ...]]  #: facet → values, the most frequent first
    corrected: Mapping[str, tuple[str, ...]]  #: word that nothing has → what was looked for instead


class SuggestionQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody has typed so far."""

    q: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_QUERY)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=20)] = 8


class SearchApi:
    """Finds for whoever asks, what they may find."""

    def __init__(self, ctx: Context[SearchSettings]) -> None:
        self._search = ctx.own(SearchService)
        self._rate = str(ctx.settings.searches)

    def routes(self) -> Iterable[Route]:
        """Return every route."""
        limits = (RateLimit(self._rate, by="address"),)
        yield get("", self.find, permission=PUBLIC, problems=(problems.InvalidCursor,), rate_limits=limits)
        yield get("/suggestions", self.suggest, permission=PUBLIC, rate_limits=limits)

    async def find(self, request: Request, query: SearchQuery) -> Answer[SearchPage]:
        """Search courses, lessons and whatever else plugins let be found, with filters and counts."""
        results = await self._search.find(request.caller, query.asked())
        found = page_of(results, query)
        if found.next is None:
            return Answer(found)
        following = request.http.rel_url.update_query(cursor=found.next)
        return Answer(found, headers={"Link": f'<{following}>; rel="next"'})

    async def suggest(self, request: Request, query: SuggestionQuery) -> list[Found]:
        """Suggest what somebody may mean who is still typing."""
        return list(await self._search.suggest(request.caller, query.q, query.limit))


def page_of(results: Results, query: SearchQuery) -> SearchPage:
    """Return the results as a page, with the cursor of the following one."""
    rows = [*results.hits, *results.hits[-1:]] if results.next else results.hits
    found = page(rows, query, lambda hit: results.next)
    return SearchPage(
        items=[_item(hit) for hit in found.items],
        next=found.next,
        total=results.total,
        exact=results.exact,
        counts=results.counts,
        corrected=results.corrected,
    )


def _item(hit: Hit) -> FoundItem:
    return FoundItem(**msgspec.structs.asdict(hit.found), why=hit.why)
