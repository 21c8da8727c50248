"""The kits of `search/1` and `searchable/1`: what is found, counted and suggested, by whom, and what can be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol
from uuid import UUID

from kernel import Principal, new_id
from kernel.contracts.search import (
    EVERYBODY,
    Document,
    Filters,
    Query,
    Results,
    Search,
    Searchable,
    Teacher,
    permitted,
    person,
)

PATIENCE: Final = 10.0  # seconds that a source may take


class SearchHarness(Protocol):
    """What the kit needs beside the provider itself."""

    @property
    def search(self) -> Search:
        """The provider."""
        ...

    async def put(self, *documents: Document) -> None:
        """Have a source tell the documents, in the place of those with the same ids; return once they can be found."""
        ...

    async def remove(self, *ids: UUID) -> None:
        """Have the source tell them no more; return once nobody finds them."""
        ...


def document(title: str, **facts: Any) -> Document:
    """Return a document with *title*, for everybody unless its *facts* say otherwise."""
    given: dict[str, Any] = {"id": new_id(), "kind": "book", "path": "/", "readers": (EVERYBODY,), **facts}
    return Document(title=title, **given)


def reader(*permissions: str) -> Principal:
    """Return somebody who is signed in and has *permissions*."""
    return Principal(id=new_id(), session=new_id(), roles=frozenset(), permissions=frozenset(permissions))


class SearchContract:
    """Supply the fixture `harness`: a `SearchHarness` of a provider that knows no documents."""

    async def test_what_is_called_exactly_like_the_query_comes_first(self, harness: SearchHarness) -> None:
        """By its title and by its code, however case is written."""
        await harness.put(
            document("Statistics with statistics", text="statistics st-101"), document("Statistics", code="ST-101")
        )

        assert (await _titles(harness, "statistics"))[0] == "Statistics"
        assert (await _titles(harness, "st-101"))[0] == "Statistics"

    async def test_words_are_found_wherever_they_stand(self, harness: SearchHarness) -> None:
        """In title, summary, text, further words and names of teachers."""
        ana = Teacher(id=new_id(), name="Ana Silva")
        await harness.put(
            document("Alpha", summary="harbour"),
            document("Beta", text="lighthouse", words=("seafaring",)),
            document("Gamma", instructors=(ana,)),
        )

        for text, title in (("harbour", "Alpha"), ("lighthouse", "Beta"), ("seafaring", "Beta"), ("silva", "Gamma")):
            assert await _titles(harness, text) == [title]

    async def test_nobody_is_shown_what_is_not_for_them(self, harness: SearchHarness) -> None:
        """Nor counted, nor suggested; by words as by filters."""
        owner, clerk = reader(), reader("minutes.read")
        await harness.put(
            document("Secret plans", readers=(person(owner.id),), category="plans"),
            document("Secret minutes", readers=(permitted("minutes.read"), person(new_id())), category="minutes"),
            document("Secret of everybody", category="open"),
        )

        everybody = ["Secret of everybody"]
        for caller, mine in ((None, []), (reader(), []), (owner, ["Secret plans"]), (clerk, ["Secret minutes"])):
            expected = sorted(everybody + mine)
            for text in ("secret", ""):
                results = await harness.search.find(caller, Query(text=text))
                assert sorted(hit.found.title for hit in results.hits) == expected
                assert results.total == sum(one.count for one in results.counts["category"]) == len(expected)
            suggested = await harness.search.suggest(caller, "secr", 10)
            assert sorted(found.title for found in suggested) == expected

    async def test_what_finds_is_not_shown(self, harness: SearchHarness) -> None:
        """Neither text nor readers."""
        await harness.put(document("Alpha", text="lighthouse", readers=(EVERYBODY, permitted("keep"))))

        [hit] = (await _find(harness, "lighthouse")).hits

        assert not hasattr(hit.found, "text")
        assert not hasattr(hit.found, "readers")

    async def test_filters_narrow_and_counts_leave_their_own_out(self, harness: SearchHarness) -> None:
        """So that somebody sees what another choice would give."""
        await harness.put(
            document("Maths one", category="maths", level="beginner", price=0),
            document("Maths two", category="maths", level="advanced", price=1900),
            document("Art one", category="art", level="beginner"),
        )

        results = await _find(harness, "", filters=Filters(category=("maths",), level=("beginner",)))

        assert [hit.found.title for hit in results.hits] == ["Maths one"]
        assert {one.value: one.count for one in results.counts["category"]} == {"maths": 1, "art": 1}
        assert {one.value: one.count for one in results.counts["level"]} == {"beginner": 1, "advanced": 1}

    async def test_what_is_not_known_passes_no_filter(self, harness: SearchHarness) -> None:
        """A price, a rating, a duration, a teacher."""
        ana = Teacher(id=new_id(), name="Ana Silva")
        await harness.put(
            document("Known", price=500, rating=4.5, duration_seconds=600, instructors=(ana,)), document("Unknown")
        )

        for filters in (
            Filters(max_price=500),
            Filters(min_rating=4.5),
            Filters(max_duration_seconds=600),
            Filters(instructor=ana.id),
        ):
            assert [hit.found.title for hit in (await _find(harness, "", filters=filters)).hits] == ["Known"]

    async def test_sorting_is_by_what_is_asked_for(self, harness: SearchHarness) -> None:
        """The cheapest, or the best, before others."""
        await harness.put(
            document("B", price=200, rating=4.0),
            document("A", price=100, rating=2.0),
            document("C", price=300, rating=5.0),
        )

        assert [hit.found.title for hit in (await _find(harness, "", sort="price")).hits] == ["A", "B", "C"]
        assert [hit.found.title for hit in (await _find(harness, "", sort="rating")).hits] == ["C", "B", "A"]

    async def test_pages_show_everything_once(self, harness: SearchHarness) -> None:
        """The last one says that it is the last."""
        await harness.put(*(document(f"Volume {number}") for number in range(7)))
        results = await _find(harness, "volume", limit=3)
        seen = [hit.found.title for hit in results.hits]

        while results.next is not None:
            results = await _find(harness, "volume", limit=3, after=results.next)
            seen += [hit.found.title for hit in results.hits]

        assert sorted(seen) == [f"Volume {number}" for number in range(7)]

    async def test_a_change_takes_the_place_of_what_was_there(self, harness: SearchHarness) -> None:
        """And what is removed is gone."""
        latin = document("Latin")
        await harness.put(latin)
        await harness.put(document("Greek", id=latin.id))
        assert (await _titles(harness, "latin"), await _titles(harness, "greek")) == ([], ["Greek"])

        await harness.remove(latin.id)

        assert await _titles(harness, "greek") == []

    async def test_reasons_add_up(self, harness: SearchHarness) -> None:
        """Where they are asked for; else there are none."""
        await harness.put(document("Organic chemistry"), document("Chemistry", text="organic"))

        explained = await _find(harness, "organic chemistry", explain=True)
        plain = await _find(harness, "organic chemistry")

        assert explained.total == 2
        assert all(sum(reason.points for reason in hit.why) == hit.points for hit in explained.hits)
        assert not any(hit.why for hit in plain.hits)


async def _find(harness: SearchHarness, text: str, **asked: Any) -> Results:
    return await harness.search.find(None, Query(text=text, **asked))


async def _titles(harness: SearchHarness, text: str) -> list[str]:
    return [hit.found.title for hit in (await _find(harness, text)).hits]


class SearchableHarness(Protocol):
    """What the kit needs beside the source itself."""

    @property
    def searchable(self) -> Searchable:
        """The source."""
        ...

    async def known(self) -> Sequence[UUID]:
        """Return at least three subjects that have documents, in whatever order; the source has no others."""
        ...


class SearchableContract:
    """Supply the fixture `harness`: a `SearchableHarness` of a source that nobody has asked yet."""

    async def test_subjects_are_told_once_and_in_order(self, harness: SearchableHarness) -> None:
        """In pages of any size: a rebuild goes through them while others come and go."""
        known = sorted(await harness.known())
        assert len(known) >= 3

        for limit in (1, 2, 500):
            found: list[UUID] = []
            while told := await _subjects(harness, found[-1] if found else None, limit):
                assert len(told) <= limit
                found.extend(told)
            assert found == known

    async def test_documents_are_told_of_those_that_have_any(self, harness: SearchableHarness) -> None:
        """Of several at once, and of none that nobody knows."""
        known = await harness.known()

        told = await _documents(harness, [*known, new_id()])

        assert set(told) == set(known)
        assert all(told.values())
        assert await _documents(harness, []) == {}
        assert await _documents(harness, [new_id()]) == {}

    async def test_documents_can_be_shown(self, harness: SearchableHarness) -> None:
        """Each has a title, a place to go to and readers; no two of a kind have one id."""
        told = await _documents(harness, await harness.known())
        documents = [document for of_subject in told.values() for document in of_subject]

        assert harness.searchable.kind
        assert len({(one.kind, one.id) for one in documents}) == len(documents)
        for one in documents:
            assert one.title.strip()
            assert one.kind
            assert one.path.startswith("/")
            assert one.readers
            assert all(reader == EVERYBODY or reader.startswith(("person:", "permission:")) for reader in one.readers)

    async def test_asking_changes_nothing(self, harness: SearchableHarness) -> None:
        """The same is told again, also at once: what is told the same is not written anew."""
        known = await harness.known()

        first = await _documents(harness, known)
        found = await asyncio.gather(*(_documents(harness, known) for _ in range(5)))

        assert all(told == first for told in found)


async def _subjects(harness: SearchableHarness, after: UUID | None, limit: int) -> Sequence[UUID]:
    async with asyncio.timeout(PATIENCE):
        return await harness.searchable.subjects(after, limit)


async def _documents(harness: SearchableHarness, subjects: Sequence[UUID]) -> dict[UUID, tuple[Document, ...]]:
    async with asyncio.timeout(PATIENCE):
        told = await harness.searchable.documents(subjects)
    return {subject: tuple(documents) for subject, documents in told.items()}
