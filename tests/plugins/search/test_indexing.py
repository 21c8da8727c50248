"""The index follows its sources, whatever comes in between."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
import sqlalchemy as sa

from kernel import new_id
from kernel.contracts.search import Filters, Teacher
from kernel.database import Command, Query
from kernel.database.tables import outbox
from kernel.testing.deploying import Deploy
from kernel.testing.failing import Failing
from plugins.search import marks, store
from plugins.search.tables import postings
from tests.plugins.courses.school import School
from tests.plugins.search.library import Library, ShelfPlugin, book, open_library


class Posting(msgspec.Struct, frozen=True):
    """A row of `postings`."""

    term: bytes
    impact: int
    document: int


POSTINGS: Final = Query(sa.select(postings), Posting)
#: As the kernel does with events that are long past.
FORGET_THE_PAST: Final = Command(sa.delete(outbox))


async def test_a_change_while_the_source_is_asked_is_not_lost(deploy: Deploy) -> None:
    """What was asked for before it is not written over what comes after."""
    library = await open_library(deploy)
    one = book("Old")
    library.shelf.books[one.id] = (one,)
    library.shelf.waiting = asyncio.Event()
    await library.tell(one.id)
    await library.deployment.settle()
    async with asyncio.timeout(20):
        while not library.shelf.asked:  # noqa: ASYNC110 - it sets no Event of ours
            await asyncio.sleep(0.02)

    library.shelf.books[one.id] = (book("New", id=one.id),)
    await library.tell(one.id)
    await library.deployment.settle()
    library.shelf.waiting.set()
    await library.indexed()

    assert await library.titles("new") == ["New"]
    assert not await library.titles("old")


async def test_a_rebuild_mends_the_index_while_it_is_searched(deploy: Deploy) -> None:
    """What is missing comes back, what has no source goes, and what was right is there at every moment."""
    library = await open_library(deploy)
    lost, gone, *right = [book(f"Volume {number}") for number in range(60)]
    await library.put(lost, gone, *right)
    ctx = library.deployment.platform.context("search")
    async with ctx.db.transaction() as session:
        await store.replace(session, "book", {lost.id: ()})
    del library.shelf.books[gone.id]

    rebuilding = asyncio.create_task(library.deployment.command("search", "rebuild", "--kind", "book", json=True))
    while not rebuilding.done():
        assert (await library.find("volume ")).total >= len(right)
    await library.indexed()

    assert (await rebuilding).exit_code == 0
    found = {hit.found.id for hit in (await library.find("volume ", limit=100)).hits}
    assert found == {lost.id, *(one.id for one in right)}


async def test_what_broke_off_in_the_middle_is_done_again(deploy: Deploy, failing: Failing) -> None:
    """Nothing of it is found before; and it is claimed anew when whoever was at it had time enough."""
    library = await open_library(deploy)
    await library.put(book("Curtains"))
    asked, one = library.shelf.asked, book("Carpets")
    failing.arm("plugins.search.indexing.WRITTEN", "raise|once")
    library.shelf.books[one.id] = (one,)
    await library.tell(one.id)
    await library.deployment.settle()
    ctx = library.deployment.platform.context("search")
    async with asyncio.timeout(20):
        while library.shelf.asked == asked:  # noqa: ASYNC110 - it sets no Event of ours
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    assert not await library.titles("carpets")
    assert await ctx.db.one(marks.WAITING) == 1

    library.deployment.clock.advance(3600)
    await library.indexed()

    assert await library.titles("carpets") == ["Carpets"]


async def test_two_rebuilds_at_once_are_as_good_as_one(deploy: Deploy) -> None:
    """They share the work; nothing is there twice."""
    library = await open_library(deploy)
    books = [book(f"Volume {number}", instructors=(Teacher(id=new_id(), name="Ana"),)) for number in range(120)]
    library.shelf.books = {one.id: (one,) for one in books}

    commands = (library.deployment.command("search", "rebuild", json=True) for _ in range(2))
    done = await asyncio.gather(*commands)
    await library.indexed()

    assert [one.exit_code for one in done] == [0, 0]
    found = await library.find("volume ", limit=100)
    assert (found.total, found.exact) == (120, True)
    assert (await library.find("ana ")).total == 120


async def test_what_says_the_same_is_not_written_anew(deploy: Deploy) -> None:
    """A rebuild of what is right changes nothing; what changed a little is found by its new words, not by old ones."""
    library = await open_library(deploy)
    one = book("Volume", summary="about whales", text="kept")
    await library.put(one, book("Other"))
    before = await _contents(library)
    assert (await library.deployment.command("search", "rebuild")).exit_code == 0
    await library.indexed()
    assert await _contents(library) == before

    await library.put(book("Volume", id=one.id, summary="about bees", text="kept"))

    assert await library.titles("bees ") == await library.titles("kept ") == ["Volume"]
    assert not await library.titles("whales ")


async def _contents(library: Library) -> list[tuple[bytes, int, int]]:
    ctx = library.deployment.platform.context("search")
    return sorted((one.term, one.document, one.impact) for one in await ctx.db.all(POSTINGS))


async def test_a_kind_that_nobody_tells_of_can_not_be_rebuilt(deploy: Deploy) -> None:
    """The message names those that can."""
    library = await open_library(deploy)

    result = await library.deployment.command("search", "rebuild", "--kind", "opera")

    assert result.exit_code == 1
    assert "kinds: book" in result.output


async def test_what_was_there_before_the_search_is_indexed_without_being_told(deploy: Deploy) -> None:
    """A source that is new is read from its beginning."""
    deployment = await deploy("courses", "users")
    await School(deployment, deployment.client("instructor"), deployment.client("admin")).published()
    async with deployment.platform.context("courses").db.transaction() as session:
        await session.run(FORGET_THE_PAST)

    await deployment.restart("courses", "users", "search")
    library = Library(deployment)
    async with asyncio.timeout(20):
        while not (await library.find("sailing")).total:  # noqa: ASYNC110 - it sets no Event of ours
            await asyncio.sleep(0.05)

    assert (await library.find("sailing", filters=Filters(kind=("course",)))).total == 1


async def test_a_source_that_is_off_is_found_no_more_until_it_is_back(deploy: Deploy) -> None:
    """Its pages would not be there either."""
    library = await open_library(deploy)
    await library.put(book("Knots"))

    await library.deployment.restart("search")
    assert not (await library.find("knots")).hits
    await library.deployment.restart("search", plugins=[ShelfPlugin])

    assert (await library.find("knots")).total == 1
