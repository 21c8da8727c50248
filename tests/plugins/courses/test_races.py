"""Changes of one course at the same moment."""

from __future__ import annotations

import asyncio

import pytest

from kernel.testing.deploying import Deploy
from tests.plugins.courses.school import COURSES, lessons, open_school

ROUNDS = 5


@pytest.mark.postgresql_only
async def test_lessons_added_at_once_are_all_shown(deploy: Deploy) -> None:
    """What was rendered holds every lesson, each at a place of its own."""
    school = await open_school(deploy)
    course = await school.draft()
    path = f"{COURSES}/{course['id']}/sections/{course['sections'][0]['id']}/lessons"
    wanted = {lesson["title"] for lesson in lessons(course)}

    for number in range(ROUNDS):
        new = [f"{number}-{twin}" for twin in range(8)]
        await asyncio.gather(
            *(school.instructor.call("POST", path, {"title": title, "kind": "video"}, expect=201) for title in new)
        )
        wanted.update(new)
        shown = await school.read(course["id"])
        assert sorted(lesson["title"] for lesson in lessons(shown)) == sorted(wanted)
        assert shown["lesson_count"] == len(wanted)


@pytest.mark.postgresql_only
async def test_of_two_changes_with_the_same_tag_one_wins(deploy: Deploy) -> None:
    """The others learn that the course has changed."""
    school = await open_school(deploy)
    course = await school.draft()
    path = f"{COURSES}/{course['id']}"

    async def change(title: str, tag: str) -> int:
        async with school.instructor.patch(path, json={"title": title}, headers={"If-Match": tag}) as answer:
            return answer.status

    for number in range(ROUNDS):
        async with school.instructor.get(path) as answer:
            tag = answer.headers["ETag"]
        statuses = await asyncio.gather(*(change(f"{number}-{twin}", tag) for twin in range(8)))
        assert sorted(statuses) == [200] + [412] * 7


@pytest.mark.postgresql_only
async def test_of_many_publications_at_once_one_happens(deploy: Deploy) -> None:
    """The others find the course published."""
    school = await open_school(deploy)
    course = await school.draft()
    path = f"{COURSES}/{course['id']}"
    await school.instructor.call("POST", f"{path}/submit")

    async def publish() -> int:
        async with school.admin.post(f"{path}/publish") as answer:
            return answer.status

    statuses = await asyncio.gather(*(publish() for _ in range(8)))

    assert sorted(statuses) == [200] + [409] * 7
