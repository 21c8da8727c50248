"""Who teaches, and under which name."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from kernel import new_id
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from plugins.courses import editing
from plugins.courses.editing import LOCK_COURSE
from plugins.courses.instructors import CHANGE_NAME
from plugins.courses.renewal import OUTDATE, Renewal
from tests.plugins.courses.school import COURSES, JSON, PeoplePlugin, School, open_school, somebody


async def join(school: School, course: JSON) -> Client:
    """Return a new instructor whom the owner has added."""
    second = school.deployment.client("instructor")
    await school.instructor.call("POST", f"{COURSES}/{course['id']}/instructors", {"user_id": str(second.user)})
    return second


def teachers(course: JSON) -> list[str]:
    return [person["id"] for person in course["instructors"]]


async def test_several_people_teach_a_course(deploy: Deploy) -> None:
    """Whoever the owner adds may change it too; adding twice changes nothing."""
    school = await open_school(deploy)
    course = await school.draft()

    second = await join(school, course)
    await school.instructor.call("POST", f"{COURSES}/{course['id']}/instructors", {"user_id": str(second.user)})
    changed = await second.call("PATCH", f"{COURSES}/{course['id']}", {"title": "Ours"})

    assert teachers(changed) == [str(school.instructor.user), str(second.user)]
    assert [card["title"] for card in (await second.call("GET", f"{COURSES}/mine"))["items"]] == ["Ours"]


async def test_only_the_owner_decides_who_teaches(deploy: Deploy) -> None:
    """Another instructor may leave, but add and remove nobody."""
    school = await open_school(deploy)
    course = await school.draft()
    second = await join(school, course)
    path = f"{COURSES}/{course['id']}/instructors"

    await second.call("POST", path, {"user_id": somebody()}, expect=403)
    await second.call("DELETE", f"{path}/{school.instructor.user}", expect=403)
    left = await second.call("DELETE", f"{path}/{second.user}")

    assert teachers(left) == [str(school.instructor.user)]
    await second.call("GET", f"{COURSES}/{course['id']}", expect=404)


async def test_the_last_instructor_stays(deploy: Deploy) -> None:
    """Somebody has to teach the course; when the owner leaves, the next one owns it."""
    school = await open_school(deploy)
    course = await school.draft()
    path = f"{COURSES}/{course['id']}/instructors"

    await school.instructor.call("DELETE", f"{path}/{school.instructor.user}", expect=409)
    await school.instructor.call("DELETE", f"{path}/{somebody()}", expect=404)
    second = await join(school, course)
    await school.instructor.call("DELETE", f"{path}/{school.instructor.user}")
    alone = await second.call("POST", path, {"user_id": somebody()})

    assert teachers(alone)[0] == str(second.user)


async def test_a_course_has_only_so_many_instructors(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is named."""
    monkeypatch.setattr(editing, "MAX_INSTRUCTORS", 1)
    school = await open_school(deploy)
    course = await school.draft()

    problem = await school.instructor.call(
        "POST", f"{COURSES}/{course['id']}/instructors", {"user_id": somebody()}, expect=409
    )

    assert problem["detail"] == "A course holds at most 1 instructors; remove one before you add another."


async def test_a_new_name_is_shown_everywhere(deploy: Deploy) -> None:
    """In the course, in the catalogue, and in courses that are made later."""
    school = await open_school(deploy, PeoplePlugin)
    course = await school.published()
    before = (await school.read(course["id"]))["version"]

    for name in ("Ada", "Ada"):
        await school.admin.call("POST", f"/api/v1/people-names/{school.instructor.user}/{name}", expect=204)
        await settle(school)
    later = await school.draft()

    shown = [{"id": str(school.instructor.user), "name": "Ada"}]
    after = await school.read(course["id"])
    listed = await school.deployment.client().call("GET", COURSES)
    assert (after["instructors"], later["instructors"], listed["items"][0]["instructors"]) == (shown, shown, shown)
    assert after["version"] == before + 1


async def settle(school: School) -> None:
    """Return when every event has been handled and every course rendered that showed an old name."""
    await school.deployment.settle()
    await school.deployment.platform.context("courses").own(Renewal).renew()


async def test_a_new_name_comes_also_after_a_death(deploy: Deploy) -> None:
    """What was not rendered yet is left to the next process."""
    school = await open_school(deploy, PeoplePlugin)
    courses = [await school.published() for _ in range(2)]
    db = school.deployment.platform.context("courses").db
    await db.run(CHANGE_NAME, user_id=school.instructor.user, display_name="Ada")
    await db.run(OUTDATE, person=school.instructor.user, event_id=new_id())

    await school.deployment.restart("courses", plugins=(PeoplePlugin,))
    await settle(school)

    assert [(await school.read(course["id"]))["instructors"][0]["name"] for course in courses] == ["Ada", "Ada"]


@pytest.mark.postgresql_only
async def test_a_new_name_waits_for_no_course(deploy: Deploy) -> None:
    """However many show it: somebody's long change of one of them does not hold up the event."""
    school = await open_school(deploy, PeoplePlugin)
    course = await school.published()
    ctx = school.deployment.platform.context("courses")

    async with ctx.db.transaction() as session:
        await session.one(LOCK_COURSE, course_id=UUID(course["id"]), now=ctx.clock.now())
        await school.admin.call("POST", f"/api/v1/people-names/{school.instructor.user}/Ada", expect=204)
        async with asyncio.timeout(5):
            await school.deployment.settle()

    await settle(school)
    assert (await school.read(course["id"]))["instructors"][0]["name"] == "Ada"


async def test_a_name_that_was_told_first_is_shown(deploy: Deploy) -> None:
    """A name may be known before its owner makes a course."""
    school = await open_school(deploy, PeoplePlugin)
    await school.admin.call("POST", f"/api/v1/people-names/{school.instructor.user}/Ada", expect=204)
    await school.deployment.settle()

    course = await school.draft()

    assert course["instructors"][0]["name"] == "Ada"
