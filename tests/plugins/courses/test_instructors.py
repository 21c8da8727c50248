"""Who teaches, and under which name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import pytest

from kernel import new_id
from kernel.contracts.users import USERS, Person
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from plugins.courses import editing
from plugins.courses.editing import LOCK_COURSE, save
from plugins.courses.instructors import ADD_INSTRUCTOR, CHANGE_NAME, OUTDATE, learn_name
from plugins.courses.renewal import Renewal
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


class Acquaintances:
    """A provider of `users/1` that knows whom a test names."""

    def __init__(self) -> None:
        self.names: dict[UUID, str] = {}

    async def people(self, ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        return {one: Person(id=one, display_name=self.names[one]) for one in ids if one in self.names}


async def renew(school: School) -> None:
    """Ask for the names that are missing, and show those that are known now."""
    renewal = school.deployment.platform.context("courses").own(Renewal)
    await renewal.ask_for_names()
    await renewal.renew()


async def test_a_name_that_is_known_only_after_the_course_is_shown(deploy: Deploy) -> None:
    """Nobody tells it by an event: it is asked for until it is there, and a course is changed for nothing else."""
    school = await open_school(deploy)
    users = Acquaintances()
    school.deployment.platform.services.provide(USERS, users)
    second = school.deployment.client("instructor")
    assert school.instructor.user is not None
    assert second.user is not None
    users.names[second.user] = ""
    course = await school.published()
    path = f"{COURSES}/{course['id']}"
    before = await school.instructor.call("POST", f"{path}/instructors", {"user_id": str(second.user)})

    await renew(school)
    unknown = await school.read(course["id"])
    users.names = {school.instructor.user: "Ada", second.user: "Bob"}
    await renew(school)

    assert unknown == before
    assert [person["name"] for person in before["instructors"]] == ["", ""]
    assert [person["name"] for person in (await school.read(course["id"]))["instructors"]] == ["Ada", "Bob"]


async def test_a_name_that_a_later_course_learns_is_shown_in_the_earlier_one(deploy: Deploy) -> None:
    """What one course asked for is news to the others."""
    school = await open_school(deploy)
    users = Acquaintances()
    school.deployment.platform.services.provide(USERS, users)
    assert school.instructor.user is not None
    earlier = await school.draft()
    users.names[school.instructor.user] = "Ada"

    later = await school.draft()
    await renew(school)

    shown = [(await school.read(course["id"]))["instructors"][0]["name"] for course in (earlier, later)]
    assert shown == ["Ada", "Ada"]


@pytest.mark.postgresql_only
async def test_a_name_that_is_told_while_the_course_is_made_is_shown(deploy: Deploy) -> None:
    """Whoever tells it waits for the course, which was rendered without it, and has it rendered anew."""
    school = await open_school(deploy, PeoplePlugin)
    course, ctx, second = await school.draft(), school.deployment.platform.context("courses"), UUID(somebody())
    course_id = UUID(course["id"])

    async with ctx.db.transaction() as session:
        await session.one(LOCK_COURSE, course_id=course_id, now=ctx.clock.now())
        await learn_name(session, second, "")
        await session.run(ADD_INSTRUCTOR, course_id=course_id, user_id=second, position=1)
        await save(session, course_id)
        await school.admin.call("POST", f"/api/v1/people-names/{second}/Bob", expect=204)
        await asyncio.sleep(0.5)  # within which the event would have been handled

    await settle(school)
    assert (await school.read(course["id"]))["instructors"][1]["name"] == "Bob"


class Slow(Acquaintances):
    """One that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def people(self, ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        self.asked.set()
        await self.may_answer.wait()
        return await super().people(ids)


async def test_while_a_name_is_asked_for_others_are_served(deploy: Deploy) -> None:
    """However long it takes: no transaction waits for another module."""
    school = await open_school(deploy)
    course, second = await school.draft(), school.deployment.client("instructor")
    path = f"{COURSES}/{course['id']}"
    for ask in (
        school.instructor.call("POST", f"{path}/instructors", {"user_id": str(second.user)}),
        school.deployment.client("instructor").call("POST", COURSES, {"title": "Knots"}),
    ):
        users = Slow()
        school.deployment.platform.services.provide(USERS, users)
        users.names = {second.user: "Bob"} if second.user else {}
        waiting = asyncio.create_task(ask)
        await users.asked.wait()

        async with asyncio.timeout(2):
            await school.instructor.call("PATCH", path, {"title": "Bowlines"})

        users.may_answer.set()
        await waiting


async def test_somebody_who_does_not_exist_teaches_nothing(deploy: Deploy) -> None:
    """And only the owner learns who exists."""
    school = await open_school(deploy)
    school.deployment.platform.services.provide(USERS, Acquaintances())
    course, body = await school.draft(), {"user_id": somebody()}
    path = f"{COURSES}/{course['id']}/instructors"

    refused = await school.instructor.call("POST", path, body, expect=422)

    assert refused["errors"][0]["field"] == "body.user_id"
    await school.deployment.client("instructor").call("POST", path, body, expect=404)
