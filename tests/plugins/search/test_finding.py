"""What is found by which words, in which order."""

from __future__ import annotations

import pytest
import pytest_asyncio

from kernel import new_id
from kernel.contracts.search import Filters, Teacher
from kernel.testing.deploying import Deploy
from tests.plugins.search.library import Library, book, open_library


@pytest_asyncio.fixture
async def library(deploy: Deploy) -> Library:
    return await open_library(deploy)


async def test_what_is_called_like_the_query_comes_first(library: Library) -> None:
    """However often other documents have its words, and however well they are rated."""
    others = [book(f"Statistics {n}", text="statistics " * 50, rating=5.0) for n in range(5)]
    await library.put(*others, book("Statistics", rating=1.0), book("Sailing", code="ST-101"))

    assert (await library.titles("statistics"))[0] == "Statistics"
    for written in ("ST-101", "st101", "ST 101"):
        assert await library.titles(written) == ["Sailing"]


async def test_what_has_every_word_comes_before_what_has_half(library: Library) -> None:
    """And what has less is not shown."""
    await library.put(book("Organic chemistry"), book("Chemistry for cooks"), book("Cooking"))

    assert await library.titles("organic chemistry ") == ["Organic chemistry", "Chemistry for cooks"]
    assert await library.titles("organic chemistry of physics and ") == ["Organic chemistry"]


async def test_case_marks_and_arabic_spellings_do_not_matter(library: Library) -> None:
    """People leave marks out, and write letters for each other."""
    await library.put(book("Éléments d’algèbre"), book("Größe und Maß"), book("مقدمة في الإحصاء"), book("زبان فارسی"))

    assert await library.titles("ELEMENTS algebre ") == ["Éléments d’algèbre"]
    assert await library.titles("grosse mass") == ["Größe und Maß"]
    assert await library.titles("مقدمه الاحصاء") == ["مقدمة في الإحصاء"]
    assert await library.titles("فارسي ") == ["زبان فارسی"]


@pytest.mark.parametrize("typed", ["pyhton ", "pythn ", "pythonn ", "oython "])
async def test_one_slip_is_forgiven_and_said(typed: str, library: Library) -> None:
    """A letter left out, put in, mistaken, or exchanged with the next."""
    await library.put(book("Python"), book("Java"))

    results = await library.find(typed)

    assert [hit.found.title for hit in results.hits] == ["Python"]
    assert results.corrected == {typed.strip(): ("python",)}


async def test_the_last_word_may_be_unfinished(library: Library) -> None:
    """But no other one may."""
    await library.put(book("Introduction to databases"))

    assert await library.titles("introduction dat") == ["Introduction to databases"]
    assert await library.titles("introd databases") == ["Introduction to databases"]  # by what it has of the words
    assert not (await library.find("introd ")).hits


async def test_nonsense_finds_nothing(library: Library) -> None:
    """And counts nothing."""
    await library.put(book("Python"))

    results = await library.find("xqzvkw")

    assert (results.hits, results.total, results.next) == ((), 0, None)


async def test_filters_narrow_and_counts_say_what_they_would_leave(library: Library) -> None:
    """The counts of a facet are as if it had no filter of its own."""
    await library.put(
        book("Maths one", category="maths", level="beginner", price=0),
        book("Maths two", category="maths", level="advanced", price=1900),
        book("Art one", category="art", level="beginner"),
    )

    results = await library.find("", filters=Filters(category=("maths",), level=("beginner",)))

    assert [hit.found.title for hit in results.hits] == ["Maths one"]
    assert results.total == 1
    assert results.exact
    assert {count.value: count.count for count in results.counts["category"]} == {"art": 1, "maths": 1}
    assert {count.value: count.count for count in results.counts["level"]} == {"advanced": 1, "beginner": 1}
    assert await library.titles("", filters=Filters(max_price=1000)) == ["Maths one"]


async def test_filters_of_numbers_and_people(library: Library) -> None:
    """What is not known passes no filter."""
    ana = Teacher(id=new_id(), name="Ana Óscarsdóttir")
    await library.put(
        book("Short", duration_seconds=600, rating=4.5, instructors=(ana,)),
        book("Long", duration_seconds=7200),
        book("?"),
    )

    assert await library.titles("", filters=Filters(max_duration_seconds=3600)) == ["Short"]
    assert await library.titles("", filters=Filters(min_rating=4.5)) == ["Short"]
    assert await library.titles("", filters=Filters(instructor=ana.id)) == ["Short"]
    assert await library.titles("oscarsdottir") == ["Short"]


async def test_sorting(library: Library) -> None:
    """By price the cheapest first, by rating the best first."""
    await library.put(
        book("B", price=200, rating=4.0), book("A", price=100, rating=2.0), book("C", price=300, rating=5.0)
    )

    assert await library.titles("", sort="price") == ["A", "B", "C"]
    assert await library.titles("", sort="rating") == ["C", "B", "A"]


async def test_pages_show_everything_once(library: Library) -> None:
    """Each begins where the one before ended."""
    await library.put(*(book(f"Volume {number}") for number in range(7)))
    seen, after = [], None

    while True:
        results = await library.find("volume ", limit=3, after=after)
        seen += [hit.found.title for hit in results.hits]
        if (after := results.next) is None:
            break

    assert sorted(seen) == [f"Volume {number}" for number in range(7)]


async def test_explained_points_add_up(library: Library) -> None:
    """What is shown as the reason is what was computed."""
    await library.put(book("Organic chemistry"), book("Chemistry", text="organic"))

    results = await library.find("organic chemistry", explain=True)

    assert len(results.hits) == 2
    for hit in results.hits:
        assert sum(reason.points for reason in hit.why) == hit.points


async def test_a_change_takes_the_place_of_what_was_there(library: Library) -> None:
    """And what is gone is not found."""
    one = book("Latin")
    await library.put(one)
    await library.put(book("Greek", id=one.id))
    assert not await library.titles("latin")
    assert await library.titles("greek") == ["Greek"]

    await library.remove(one.id)

    assert not await library.titles("greek")


async def test_suggestions_are_what_may_be_meant(library: Library) -> None:
    """From the first letter on."""
    await library.put(book("Astronomy"), book("Biology"))

    assert [found.title for found in await library.search.suggest(None, "a", 5)] == ["Astronomy"]
