"""`search/1`: kept by ours and by the fake, and by none that breaks a promise."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import pytest_asyncio
from msgspec.structs import replace

from kernel.contracts.search import EVERYBODY, Document, Filters, Found, Query, Results
from kernel.http.principal import Principal
from kernel.testing.contracts.in_memory import InMemorySearchHarness
from kernel.testing.contracts.search import SearchContract, SearchHarness
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.search import InMemorySearch
from tests.contracts.broken import Test, assert_found
from tests.plugins.search.library import Library, open_library

KIT = SearchContract()


class TestOurs(SearchContract):
    """The plugin, over a shelf."""

    @pytest_asyncio.fixture
    async def harness(self, deploy: Deploy) -> Library:
        return await open_library(deploy)


class TestTheFake(SearchContract):
    """From memory."""

    @pytest.fixture
    def harness(self) -> InMemorySearchHarness:
        return InMemorySearchHarness()


class ShowsEverybodyEverything(InMemorySearch):
    """Does not ask who reads."""

    def put(self, *documents: Document) -> None:
        super().put(*(replace(one, readers=(EVERYBODY,)) for one in documents))


class SuggestsToEverybody(InMemorySearch):
    """Takes care when it finds, and none when it suggests."""

    async def suggest(self, caller: Principal | None, text: str, limit: int) -> Sequence[Found]:
        return [one for one in self._documents.values() if one.title.casefold().startswith(text)][:limit]


class KnowsNoNames(InMemorySearch):
    """Sorts what is called like the query behind others."""

    @staticmethod
    def _exact(document: Document, query: Query) -> bool:
        return not InMemorySearch._exact(document, query)


class CountsWhatIsShown(InMemorySearch):
    """Counts with all filters, also the facet's own."""

    async def find(self, caller: Principal | None, query: Query) -> Results:
        results = await super().find(caller, query)
        plain = {name: counts if not getattr(query.filters, name) else () for name, counts in results.counts.items()}
        return replace(results, counts=plain)


class TakesUnknownForNothing(InMemorySearch):
    """Lets what has no price pass for what is cheap."""

    async def find(self, caller: Principal | None, query: Query) -> Results:
        return await super().find(caller, Query(text=query.text, filters=Filters(), limit=query.limit))


class BeginsAnew(InMemorySearch):
    """Gives the first page twice."""

    async def find(self, caller: Principal | None, query: Query) -> Results:
        results = await super().find(caller, query)
        if query.after is not None and results.next is None:
            first = await super().find(caller, Query(text=query.text, limit=query.limit))
            return replace(results, hits=first.hits)
        return results


class NeverForgets(InMemorySearch):
    """Goes on finding what is gone."""

    def remove(self, *ids: object) -> None:
        return None


class GivesNoReasons(InMemorySearch):
    """Leaves them out."""

    async def find(self, caller: Principal | None, query: Query) -> Results:
        return await super().find(caller, Query(text=query.text, filters=query.filters, limit=query.limit))


class ShowsItsText(InMemorySearch):
    """Hands out the document as the source told it."""

    async def find(self, caller: Principal | None, query: Query) -> Results:
        results = await super().find(caller, query)
        whole = tuple(replace(hit, found=self._documents[hit.found.id]) for hit in results.hits)
        return replace(results, hits=whole)


@pytest.mark.parametrize(
    ("provider", "test"),
    [
        (ShowsEverybodyEverything, KIT.test_nobody_is_shown_what_is_not_for_them),
        (SuggestsToEverybody, KIT.test_nobody_is_shown_what_is_not_for_them),
        (KnowsNoNames, KIT.test_what_is_called_exactly_like_the_query_comes_first),
        (CountsWhatIsShown, KIT.test_filters_narrow_and_counts_leave_their_own_out),
        (TakesUnknownForNothing, KIT.test_what_is_not_known_passes_no_filter),
        (BeginsAnew, KIT.test_pages_show_everything_once),
        (NeverForgets, KIT.test_a_change_takes_the_place_of_what_was_there),
        (GivesNoReasons, KIT.test_reasons_add_up),
        (ShowsItsText, KIT.test_what_finds_is_not_shown),
    ],
)
async def test_kit_finds_what_is_broken(provider: type[InMemorySearch], test: Test[SearchHarness]) -> None:
    """Each of these breaks one promise."""
    await assert_found(test, whole=InMemorySearchHarness(), broken=InMemorySearchHarness(provider))
