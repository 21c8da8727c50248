"""Making and changing courses."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import pytest

from kernel.contracts.courses import COURSES as CAPABILITY
from kernel.testing.deploying import Deploy
from tests.plugins.courses.school import COMPLETE, COURSES, open_school, somebody, without_request


async def test_a_new_course_is_a_draft_of_its_maker(deploy: Deploy) -> None:
    """It has the facts that were given, the deployment's currency and one instructor."""
    school = await open_school(deploy, sections={"server": {"currency": "CHF"}})

    made = await school.instructor.call("POST", COURSES, {**COMPLETE, "tags": ["sea", "sea", "boat"]}, expect=201)

    assert {name: made[name] for name in COMPLETE} == COMPLETE
    assert (made["status"], made["currency"], made["version"]) == ("draft", "CHF", 1)
    assert made["tags"] == ["boat", "sea"]
    assert made["instructors"] == [{"id": str(school.instructor.user), "name": ""}]
    assert made["sections"] == []


async def test_a_change_keeps_what_it_does_not_name(deploy: Deploy) -> None:
    """PATCH replaces the named facts, the tags as a whole, and raises the version."""
    school = await open_school(deploy)
    course = await school.draft(tags=["sea"])

    changed = await school.instructor.call(
        "PATCH", f"{COURSES}/{course['id']}", {"title": "Rowing", "tags": ["river", "lake"]}
    )

    assert changed["title"] == "Rowing"
    assert changed["tags"] == ["lake", "river"]
    assert changed["description"] == course["description"]
    assert changed["version"] > course["version"]
    assert await school.read(course["id"]) == changed


WRONG: Final[tuple[tuple[dict[str, object], str], ...]] = (
    ({"title": ""}, "body.title"),
    ({"title": "   "}, "body.title"),
    ({"title": None}, "body.title"),
    ({"price": -1}, "body.price"),
    ({"price": 1.5}, "body.price"),
    ({"level": "expert"}, "body.level"),
    ({"language": "English"}, "body.language"),
    ({"tags": ["Not A Tag"]}, "body.tags[0]"),
    ({"tags": [f"t{number}" for number in range(21)]}, "body.tags"),
    ({"status": "published"}, "body.status"),
    ({"instructors": []}, "body.instructors"),
    ({"id": somebody()}, "body.id"),
)


async def test_a_wrong_fact_is_refused_by_name(deploy: Deploy) -> None:
    """The answer names the field, and nothing of the change is kept."""
    school = await open_school(deploy)
    course = await school.draft()

    for change, field in WRONG:
        problem = await school.instructor.call("PATCH", f"{COURSES}/{course['id']}", change, expect=422)
        assert [error["field"] for error in problem["errors"]] == [field], change

    assert await school.read(course["id"]) == course


@pytest.mark.parametrize("role", ["instructor", "instructor+student"])
async def test_others_courses_answer_as_if_they_were_not_there(deploy: Deploy, role: str) -> None:
    """Who does not teach a course can not tell its draft from nothing, and can change neither."""
    school = await open_school(deploy)
    course, other = await school.draft(), school.deployment.client(role)
    path, nowhere = f"{COURSES}/{course['id']}", f"{COURSES}/{somebody()}"
    section = course["sections"][0]["id"]

    for method, tail, body in (
        ("GET", "", None),
        ("PATCH", "", {"title": "Mine now"}),
        ("DELETE", "", None),
        ("POST", "/submit", None),
        ("POST", "/sections", {"title": "Mine"}),
        ("DELETE", f"/sections/{section}", None),
        ("POST", "/instructors", {"user_id": somebody()}),
        ("PUT", "/order", {"section_ids": [section]}),
    ):
        others = await other.call(method, path + tail, body, expect=404)
        absent = await other.call(method, nowhere + tail, body, expect=404)
        assert without_request(others) == without_request(absent)

    assert await school.read(course["id"]) == course


async def test_a_published_course_is_changed_only_by_its_own(deploy: Deploy) -> None:
    """That others can see it does not let them touch it."""
    school = await open_school(deploy)
    course = await school.published()

    await school.deployment.client("instructor").call("PATCH", f"{COURSES}/{course['id']}", {"price": 0}, expect=404)

    assert (await school.read(course["id"]))["price"] == course["price"]


async def test_administrators_change_any_course(deploy: Deploy) -> None:
    """The permission courses.edit_any stands for being an instructor of every course."""
    school = await open_school(deploy)
    course = await school.draft()

    changed = await school.admin.call("PATCH", f"{COURSES}/{course['id']}", {"title": "Corrected"})

    assert changed["title"] == "Corrected"


async def test_a_change_of_what_was_not_seen_is_refused(deploy: Deploy) -> None:
    """If-Match with an older tag gets 412; the tag of the last answer is good for the next change."""
    school = await open_school(deploy)
    course = await school.draft()
    path = f"{COURSES}/{course['id']}"
    async with school.instructor.get(path) as answer:
        seen = answer.headers["ETag"]
    async with school.instructor.patch(path, json={"title": "First"}, headers={"If-Match": seen}) as answer:
        assert answer.status == 200
        current = answer.headers["ETag"]

    refused = await school.instructor.call("PATCH", path, {"title": "Second"}, expect=412, headers={"If-Match": seen})
    changed = await school.instructor.call("PATCH", path, {"title": "Third"}, headers={"If-Match": current})

    assert refused["type"] == "/problems/precondition-failed"
    assert changed["title"] == "Third"


async def test_a_draft_can_be_removed(deploy: Deploy) -> None:
    """It is gone with all that belongs to it."""
    school = await open_school(deploy)
    course = await school.draft(tags=["sea"])
    path = f"{COURSES}/{course['id']}"

    await school.instructor.call("DELETE", path, expect=204)

    await school.instructor.call("GET", path, expect=404)
    assert (await school.instructor.call("GET", f"{COURSES}/mine"))["items"] == []


async def test_what_was_published_can_not_be_removed(deploy: Deploy) -> None:
    """People may hold it: it can be archived, and even as a draft again it stays."""
    school = await open_school(deploy)
    course = await school.published()
    path = f"{COURSES}/{course['id']}"

    await school.instructor.call("DELETE", path, expect=409)
    await school.instructor.call("POST", f"{path}/archive")
    await school.instructor.call("POST", f"{path}/revise")
    await school.instructor.call("DELETE", path, expect=409)

    assert (await school.read(course["id"]))["status"] == "draft"


async def test_the_same_request_twice_makes_one_course(deploy: Deploy) -> None:
    """An idempotency key makes the repetition answer with the first course."""
    school = await open_school(deploy)
    headers = {"Idempotency-Key": "one"}

    first = await school.instructor.call("POST", COURSES, COMPLETE, expect=201, headers=headers)
    again = await school.instructor.call("POST", COURSES, COMPLETE, expect=201, headers=headers)

    assert again == first
    assert len((await school.instructor.call("GET", f"{COURSES}/mine"))["items"]) == 1


async def test_other_plugins_see_every_state_as_an_offer(deploy: Deploy) -> None:
    """`courses/1` tells price, state and instructors; each change raises the version; None for no course."""
    school = await open_school(deploy)
    course = await school.draft(price=500)
    courses = school.deployment.platform.services.get(CAPABILITY)
    before = await courses.offer(course_id := UUID(course["id"]))
    await school.instructor.call("PATCH", f"{COURSES}/{course_id}", {"price": 700})

    after = await courses.offer(course_id)

    assert before is not None
    assert after is not None
    assert (before.price, before.status, before.instructors) == (500, "draft", (school.instructor.user,))
    assert after.price == 700
    assert after.version > before.version
    assert await courses.offer(UUID(somebody())) is None
