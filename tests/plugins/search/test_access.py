"""Who finds what: the same query as stranger, student, instructor and administrator."""

from __future__ import annotations

import asyncio
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import new_id
from kernel.contracts.search import Filters, permitted, person
from kernel.contracts.users import ProfileChanged
from kernel.database import Command
from kernel.testing import teller
from kernel.testing.clients import Client
from kernel.testing.contracts.search import reader
from kernel.testing.deploying import Deploy
from plugins.search.matching import REACH
from plugins.search.tables import postings
from plugins.search.vectors import key
from plugins.search.weighing import RESTRICTED
from tests.plugins.courses.school import COURSES, School
from tests.plugins.search.library import PATH, book, indexed, open_library

#: As if both terms had the same key.
SHARE_KEY: Final = Command(
    sa.update(postings)
    .where(postings.c.term == bindparam("restricted", type_=sa.LargeBinary()))
    .values(term=bindparam("public", type_=sa.LargeBinary()))
)


async def test_nobody_finds_counts_or_is_suggested_what_is_not_for_them(deploy: Deploy) -> None:
    """Neither by words nor by filters."""
    library = await open_library(deploy)
    owner = reader()
    mine = book("Secret plans", readers=(person(owner.id),), category="plans")
    ours = book("Secret minutes", readers=(permitted("minutes.read"),), category="minutes")
    # What they may read beside it, so that the search goes by the rarer word and has to ask who may read it.
    diaries = [book("Diary", readers=(person(owner.id), permitted("minutes.read"))) for _ in range(3)]
    await library.put(mine, ours, *diaries)

    for caller, expected in ((None, []), (reader(), []), (owner, [mine]), (reader("minutes.read"), [ours])):
        results = await library.find("secret", caller, filters=Filters(kind=("book",)))
        suggested = await library.search.suggest(caller, "sec", 5)
        assert [hit.found.id for hit in results.hits] == [one.id for one in expected]
        assert results.total == len(expected)
        assert [count.value for count in results.counts["category"]] == [one.category for one in expected]
        assert [found.id for found in suggested] == [one.id for one in expected]


async def test_what_is_for_others_takes_nobodys_place(deploy: Deploy) -> None:
    """However much of it there is, and however much better it would fit."""
    library = await open_library(deploy)
    theirs = [book("Secret", code=f"S-{number}", readers=(permitted("minutes.read"),)) for number in range(REACH + 50)]
    await library.stock(*theirs, book("Public", text="no secret"))

    assert await library.titles("secret ") == ["Public"]
    assert await library.titles("secret ", reader()) == ["Public"]
    assert (await library.find("secret ", reader("minutes.read"))).total > REACH


async def test_two_terms_with_one_key_give_nothing_away(deploy: Deploy) -> None:
    """Who may read is told by the document itself, so that what is walked to by mistake is not shown."""
    library = await open_library(deploy)
    await library.put(book("Secret", readers=(person(reader().id),)))
    ctx = library.deployment.platform.context("search")
    async with ctx.db.transaction() as session:
        await session.run(SHARE_KEY, public=key("secret"), restricted=key(RESTRICTED + "secret"))

    assert not await library.titles("secret ")
    assert not await library.titles("secret ", reader("minutes.read"))


async def test_a_draft_is_found_by_those_who_work_on_it_and_by_all_once_it_is_published(deploy: Deploy) -> None:
    """And no more by others once it is archived."""
    deployment = await deploy("courses", "search")
    school = School(deployment, deployment.client("instructor"), deployment.client("admin"))
    others = (deployment.client(), deployment.client("student"), deployment.client("instructor"))

    async def finds() -> list[int]:
        await indexed(deployment)
        clients = (*others, school.instructor, school.admin)
        return [(await client.call("GET", PATH, params={"q": "sailing"}))["total"] for client in clients]

    course = await school.draft()
    assert await finds() == [0, 0, 0, 3, 3]  # with its two lessons
    await school.instructor.call("POST", f"{COURSES}/{course['id']}/submit")
    await school.admin.call("POST", f"{COURSES}/{course['id']}/publish")
    assert await finds() == [3, 3, 3, 3, 3]
    await school.instructor.call("POST", f"{COURSES}/{course['id']}/archive")
    assert await finds() == [0, 0, 0, 3, 3]


async def test_the_text_of_a_lesson_gives_nothing_away(deploy: Deploy) -> None:
    """It is for those who have access; a word of it finds nothing."""
    deployment = await deploy("courses", "search")
    school = School(deployment, deployment.client("instructor"), deployment.client("admin"))
    await school.published()
    await indexed(deployment)

    found = await deployment.client().call("GET", PATH, params={"q": "bowline", "kind": "lesson"})
    assert [item["title"] for item in found["items"]] == ["Bowline"]
    assert (await deployment.client().call("GET", PATH, params={"q": "loop"}))["total"] == 0


async def test_a_new_name_of_a_teacher_is_found(deploy: Deploy) -> None:
    """And the old one is not."""
    deployment = await deploy("courses", "search", plugins=[teller.teller_of(ProfileChanged)])
    teacher = new_id()
    school = School(deployment, deployment.client("instructor", user=teacher), deployment.client("admin"))
    await school.published()

    for name in ("Adaeze", "Chidinma"):
        await teller.tell(deployment, ProfileChanged(user_id=teacher, display_name=name, locale="en", time_zone="UTC"))
        async with asyncio.timeout(20):
            while not await _total(deployment.client(), name):  # noqa: ASYNC110 - it sets no Event of ours
                await asyncio.sleep(0.05)

    assert not await _total(deployment.client(), "Adaeze")


async def test_who_teaches_is_found_while_something_of_it_can_be_seen(deploy: Deploy) -> None:
    """By the name, and by what is taught; not while there is only a draft, and no more when it is archived."""
    deployment = await deploy("courses", "search", plugins=[teller.teller_of(ProfileChanged)])
    teacher = new_id()
    school = School(deployment, deployment.client("instructor", user=teacher), deployment.client("admin"))
    await teller.tell(deployment, ProfileChanged(user_id=teacher, display_name="Adaeze", locale="en", time_zone="UTC"))
    draft = await school.draft(title="Beekeeping")
    await indexed(deployment)
    assert await _instructors(deployment.client(), "adaeze") == []

    course = await school.published(title="Sailing")
    await indexed(deployment)
    assert await _instructors(deployment.client(), "adaeze") == [(str(teacher), "Adaeze")]
    assert await _instructors(deployment.client(), "sailing") == [(str(teacher), "Adaeze")]
    assert await _instructors(deployment.client(), "beekeeping") == []

    await school.admin.call("POST", f"/api/v1/courses/{course['id']}/archive", {"reason": "over"})
    await indexed(deployment)
    assert await _instructors(deployment.client(), "adaeze") == []
    assert draft["status"] == "draft"


async def _instructors(client: Client, text: str) -> list[tuple[str, str]]:
    found = await client.call("GET", PATH, params={"q": f"{text} ", "kind": "instructor"})
    return [(item["id"], item["title"]) for item in found["items"]]


async def _total(client: Client, text: str) -> int:
    found = await client.call("GET", PATH, params={"q": text})
    total: int = found["total"]
    return total
