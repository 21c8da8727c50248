"""`search/1`: kept by ours and by the fake, and by none that breaks a promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import pytest
import pytest_asyncio
from msgspec.structs import replace

from kernel import new_id
from kernel.contracts.search import EVERYBODY, SEARCHABLE, Document, Filters, Found, Query, Results, Searchable
from kernel.contracts.users import ProfileChanged
from kernel.http.principal import Principal
from kernel.testing import teller
from kernel.testing.contracts.in_memory import InMemorySearchHarness
from kernel.testing.contracts.search import (
    SearchableContract,
    SearchableHarness,
    SearchContract,
    SearchHarness,
    document,
)
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.search import InMemorySearch
from tests.contracts.broken import Test, assert_found
from tests.plugins.courses.school import School
from tests.plugins.search.library import Library, Shelf, open_library

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


class Shelved:
    """Fulfils `SearchableHarness` by a `Shelf`, perhaps one that breaks a promise."""

    def __init__(self, shelf: type[Shelf] = Shelf) -> None:
        books = [document(f"Volume {number}") for number in range(4)]
        self.searchable = shelf(cast("Any", None), books={one.id: (one,) for one in books})

    async def known(self) -> Sequence[UUID]:
        return list(self.searchable.books)


class TestShelf(SearchableContract):
    """A source that keeps the contract."""

    @pytest.fixture
    def harness(self) -> Shelved:
        return Shelved()


class TestOurInstructors(SearchableContract):
    """Those who teach, as `courses` tells them."""

    kind = "instructor"

    @pytest_asyncio.fixture
    async def harness(self, deploy: Deploy) -> Taught:
        return await taught(deploy, self.kind)


class TestOurCourses(TestOurInstructors):
    """Courses with their lessons."""

    kind = "course"


@dataclass
class Taught:
    """Fulfils `SearchableHarness`."""

    searchable: Searchable
    subjects: Sequence[UUID]

    async def known(self) -> Sequence[UUID]:
        return self.subjects


async def taught(deploy: Deploy, kind: str) -> Taught:
    """Return the source of a kind of `courses`, with three courses by three people."""
    deployment = await deploy("courses", plugins=[teller.teller_of(ProfileChanged)])
    admin, teachers, courses = deployment.client("admin"), [new_id() for _ in range(3)], list[UUID]()
    for teacher in teachers:
        told = ProfileChanged(user_id=teacher, display_name="Adaeze", locale="en", time_zone="UTC")
        await teller.tell(deployment, told)
        school = School(deployment, deployment.client("instructor", user=teacher), admin)
        courses.append(UUID((await school.published())["id"]))
    await deployment.settle()
    source = next(one for one in deployment.platform.services.all(SEARCHABLE) if one.kind == kind)
    return Taught(source, teachers if kind == "instructor" else courses)


class TellsAllAtOnce(Shelf):
    """Takes no notice of the limit."""

    async def subjects(self, after: UUID | None, limit: int) -> Sequence[UUID]:
        return await super().subjects(after, 1000)


class TellsInNoOrder(Shelf):
    """Sorts the wrong way."""

    async def subjects(self, after: UUID | None, limit: int) -> Sequence[UUID]:
        return [] if after else sorted(self.books, reverse=True)


class InventsDocuments(Shelf):
    """Tells something of whatever is asked for."""

    async def documents(self, subjects: Sequence[UUID]) -> Mapping[UUID, Sequence[Document]]:
        return {one: (document("?"),) for one in subjects}


class TellsNobody(Shelf):
    """Names no readers."""

    async def documents(self, subjects: Sequence[UUID]) -> Mapping[UUID, Sequence[Document]]:
        told = await super().documents(subjects)
        return {subject: [replace(one, readers=()) for one in books] for subject, books in told.items()}


class NeverTellsTheSame(Shelf):
    """Numbers its answers."""

    async def documents(self, subjects: Sequence[UUID]) -> Mapping[UUID, Sequence[Document]]:
        told = await super().documents(subjects)
        return {subject: [replace(one, summary=str(self.asked)) for one in books] for subject, books in told.items()}


SOURCES = SearchableContract()


@pytest.mark.parametrize(
    ("shelf", "test"),
    [
        (TellsAllAtOnce, SOURCES.test_subjects_are_told_once_and_in_order),
        (TellsInNoOrder, SOURCES.test_subjects_are_told_once_and_in_order),
        (InventsDocuments, SOURCES.test_documents_are_told_of_those_that_have_any),
        (TellsNobody, SOURCES.test_documents_can_be_shown),
        (NeverTellsTheSame, SOURCES.test_asking_changes_nothing),
    ],
)
async def test_kit_finds_what_a_source_breaks(shelf: type[Shelf], test: Test[SearchableHarness]) -> None:
    """Each of these breaks one promise."""
    await assert_found(test, whole=Shelved(), broken=Shelved(shelf))


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
