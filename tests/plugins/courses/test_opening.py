"""Who may open lessons."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from kernel.testing.deploying import Deploy
from tests.plugins.courses.school import COURSES, JSON, admitting, lessons, open_school, somebody, without_request


class Holders:
    """Lets in who holds a course."""

    def __init__(self) -> None:
        self.people: set[UUID] = set()

    async def may_open(self, user_id: UUID, course_id: UUID) -> bool:
        return user_id in self.people


class Broken:
    async def may_open(self, user_id: UUID, course_id: UUID) -> bool:
        raise RuntimeError("out of order")


class Hanging:
    async def may_open(self, user_id: UUID, course_id: UUID) -> bool:
        await asyncio.sleep(60)
        return True


class Vague:
    async def may_open(self, user_id: UUID, course_id: UUID) -> bool:
        return "yes"  # type: ignore[return-value]  # what a plugin without a type checker may do


def path_of(course: JSON, number: int) -> str:
    return f"{COURSES}/{course['id']}/lessons/{lessons(course)[number]['id']}"


async def test_a_lesson_opens_only_with_access(deploy: Deploy) -> None:
    """A stranger has to sign in, a student to enrol; with access the text comes along."""
    holders = Holders()
    school = await open_school(deploy, admitting("holders", holders))
    course = await school.published()
    student, article = school.deployment.client("student"), path_of(course, 0)

    await school.deployment.client().call("GET", article, expect=401)
    refused = await student.call("GET", article, expect=403)
    assert student.user is not None
    holders.people.add(student.user)
    opened = await student.call("GET", article)

    assert "Make a loop." not in str(refused)
    assert opened["text"] == "Make a loop."


async def test_previews_open_for_everyone(deploy: Deploy) -> None:
    """Without signing in, as long as the course is published."""
    school = await open_school(deploy)
    course = await school.published()
    stranger, preview = school.deployment.client(), path_of(course, 1)

    opened = await stranger.call("GET", preview)
    await school.instructor.call("POST", f"{COURSES}/{course['id']}/archive")
    await stranger.call("GET", preview, expect=404)

    assert opened["title"] == "Welcome"


async def test_lessons_open_for_those_who_teach_and_review(deploy: Deploy) -> None:
    """In every state; for other instructors the draft does not exist."""
    school = await open_school(deploy)
    course = await school.draft()

    for client in (school.instructor, school.admin):
        assert (await client.call("GET", path_of(course, 0)))["text"] == "Make a loop."
    other = school.deployment.client("instructor")
    theirs = await other.call("GET", path_of(course, 0), expect=404)
    absent = await other.call("GET", f"{COURSES}/{course['id']}/lessons/{somebody()}", expect=404)

    assert without_request(theirs) == without_request(absent)


async def test_who_has_access_keeps_it_when_the_course_is_archived(deploy: Deploy) -> None:
    """Course and lessons stay open for holders, in whichever state it goes to; for others it is gone."""
    holders = Holders()
    school = await open_school(deploy, admitting("holders", holders))
    course = await school.published()
    holder, other = school.deployment.client("student"), school.deployment.client("student")
    assert holder.user is not None
    holders.people.add(holder.user)
    path = f"{COURSES}/{course['id']}"

    for step in ("archive", "revise"):
        await school.instructor.call("POST", f"{path}/{step}")
        assert (await holder.call("GET", path))["title"] == "Sailing"
        assert (await holder.call("GET", path_of(course, 0)))["text"] == "Make a loop."
        await other.call("GET", path, expect=404)
        await other.call("GET", path_of(course, 0), expect=404)


async def test_what_a_reviewer_wrote_is_not_for_learners(deploy: Deploy) -> None:
    """Who holds a course sees it while it is worked on anew, but not why it came back."""
    holders = Holders()
    school = await open_school(deploy, admitting("holders", holders))
    course = await school.published()
    path = f"{COURSES}/{course['id']}"
    holder = school.deployment.client("student")
    assert holder.user is not None
    holders.people.add(holder.user)
    for step in ("archive", "revise", "submit"):
        await school.instructor.call("POST", f"{path}/{step}")
    await school.admin.call("POST", f"{path}/return", {"reason": "Copied."})

    teaching, learning = await school.instructor.call("GET", path), await holder.call("GET", path)

    assert teaching["review_note"] == "Copied."
    assert learning == teaching | {"review_note": None}


async def test_a_draft_is_closed_even_to_who_would_be_let_in(deploy: Deploy) -> None:
    """What was never published is not shown to learners, whatever other plugins say."""
    holders = Holders()
    school = await open_school(deploy, admitting("holders", holders))
    course, student = await school.draft(), school.deployment.client("student")
    assert student.user is not None
    holders.people.add(student.user)

    await student.call("GET", f"{COURSES}/{course['id']}", expect=404)
    await student.call("GET", path_of(course, 0), expect=404)


@pytest.mark.parametrize("access", [Broken(), Hanging(), Vague()])
async def test_what_is_not_a_plain_yes_in_time_is_a_no(deploy: Deploy, access: Broken | Hanging | Vague) -> None:
    """A contributor that fails, hangs or answers something else lets nobody in."""
    school = await open_school(deploy, admitting("odd", access), access_timeout=0.1)
    course = await school.published()

    await school.deployment.client("student").call("GET", path_of(course, 0), expect=403)


async def test_one_yes_is_enough(deploy: Deploy) -> None:
    """A contributor that fails does not keep out whom another one lets in."""
    holders = Holders()
    school = await open_school(
        deploy,
        admitting("broken", Broken()),
        admitting("holders", holders),
        admitting("hanging", Hanging()),
        access_timeout=0.1,
    )
    course, student = await school.published(), school.deployment.client("student")
    assert student.user is not None
    holders.people.add(student.user)

    assert (await student.call("GET", path_of(course, 0)))["title"] == "Bowline"
