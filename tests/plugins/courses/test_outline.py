"""Sections and lessons, and their order."""

from __future__ import annotations

from uuid import UUID

import pytest

from kernel import problems
from kernel.testing.deploying import Deploy
from plugins.courses import editing
from plugins.courses.outline import check_order
from tests.plugins.courses.school import COURSES, JSON, School, lessons, open_school, somebody

A, B, C = (UUID(int=number) for number in (1, 2, 3))


def titles(course: JSON) -> list[tuple[str, list[str]]]:
    """Return the titles of sections and their lessons."""
    return [(section["title"], [lesson["title"] for lesson in section["lessons"]]) for section in course["sections"]]


async def add_section(school: School, course: JSON, title: str) -> str:
    path = f"{COURSES}/{course['id']}/sections"
    return str((await school.instructor.call("POST", path, {"title": title}, expect=201))["id"])


async def test_sections_and_lessons_stand_in_the_order_they_came(deploy: Deploy) -> None:
    """New ones are added at the end; the document shows the outline without texts."""
    school = await open_school(deploy)
    course = await school.draft()
    await add_section(school, course, "Sails")

    shown = await school.read(course["id"])

    assert titles(shown) == [("Knots", ["Bowline", "Welcome"]), ("Sails", [])]
    assert lessons(shown)[0].keys() == {"id", "title", "kind", "preview", "summary"}


async def test_sections_are_put_in_order(deploy: Deploy) -> None:
    """The complete list of ids is the new order."""
    school = await open_school(deploy)
    course = await school.draft()
    sails, stars = [await add_section(school, course, title) for title in ("Sails", "Stars")]
    knots = course["sections"][0]["id"]

    shown = await school.instructor.call(
        "PUT", f"{COURSES}/{course['id']}/order", {"section_ids": [stars, knots, sails]}
    )

    assert [section["title"] for section in shown["sections"]] == ["Stars", "Knots", "Sails"]


async def test_lessons_are_put_in_order(deploy: Deploy) -> None:
    """The complete list of ids is the new order of a section."""
    school = await open_school(deploy)
    course = await school.draft()
    section = course["sections"][0]
    ids = [lesson["id"] for lesson in section["lessons"]]

    shown = await school.instructor.call(
        "PUT", f"{COURSES}/{course['id']}/sections/{section['id']}/order", {"lesson_ids": ids[::-1]}
    )

    assert titles(shown) == [("Knots", ["Welcome", "Bowline"])]


async def test_an_incomplete_order_changes_nothing(deploy: Deploy) -> None:
    """Missing, foreign and doubled ids are refused."""
    school = await open_school(deploy)
    course = await school.draft()
    section = course["sections"][0]
    first, second = [lesson["id"] for lesson in section["lessons"]]
    path = f"{COURSES}/{course['id']}/sections/{section['id']}/order"

    for wrong in ([first], [first, second, somebody()], [first, second, second], []):
        problem = await school.instructor.call("PUT", path, {"lesson_ids": wrong}, expect=422)
        assert problem["errors"][0]["field"] == "body.lesson_ids"

    assert await school.read(course["id"]) == course


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ([A], f"missing: {B}"),
        ([A, B, C], f"unknown: {C}"),
        ([A, B, B], f"named twice: {B}"),
        ([C], f"missing: {A}, {B}; unknown: {C}"),
    ],
)
def test_an_order_says_what_is_wrong_with_it(wanted: list[UUID], told: str) -> None:
    """The message lists the ids."""
    with pytest.raises(problems.Invalid) as refused:
        check_order([A, B], wanted, "body.ids")

    assert refused.value.fields[0].message == f"must list exactly what is there, each once; {told}"


async def test_a_lesson_moves_to_the_end_of_another_section(deploy: Deploy) -> None:
    """A section of another course is refused."""
    school = await open_school(deploy)
    course, other = await school.draft(), await school.draft()
    sails = await add_section(school, course, "Sails")
    path = f"{COURSES}/{course['id']}/lessons/{lessons(course)[0]['id']}"

    await school.instructor.call("PATCH", path, {"section_id": other["sections"][0]["id"]}, expect=422)
    await school.instructor.call("PATCH", path, {"section_id": sails})

    assert titles(await school.read(course["id"])) == [("Knots", ["Welcome"]), ("Sails", ["Bowline"])]


async def test_a_lesson_changes_in_part(deploy: Deploy) -> None:
    """What is not named stays."""
    school = await open_school(deploy)
    course = await school.draft()
    path = f"{COURSES}/{course['id']}/lessons/{lessons(course)[0]['id']}"

    changed = await school.instructor.call("PATCH", path, {"title": "Reef knot", "preview": True})

    assert (changed["title"], changed["preview"], changed["text"]) == ("Reef knot", True, "Make a loop.")
    assert lessons(await school.read(course["id"]))[0]["title"] == "Reef knot"


async def test_only_articles_have_a_text(deploy: Deploy) -> None:
    """The content of videos and live classes belongs to other plugins."""
    school = await open_school(deploy)
    course = await school.draft()
    article, video = lessons(course)

    problem = await school.instructor.call(
        "PATCH", f"{COURSES}/{course['id']}/lessons/{video['id']}", {"text": "Hello"}, expect=422
    )

    assert problem["errors"][0]["field"] == "body.text"
    assert article["kind"] == "article"


async def test_removing_takes_what_is_inside(deploy: Deploy) -> None:
    """A section goes with its lessons; a lesson alone."""
    school = await open_school(deploy)
    course = await school.draft()
    path, section = f"{COURSES}/{course['id']}", course["sections"][0]

    await school.instructor.call("DELETE", f"{path}/lessons/{section['lessons'][0]['id']}", expect=204)
    assert titles(await school.read(course["id"])) == [("Knots", ["Welcome"])]

    await school.instructor.call("DELETE", f"{path}/sections/{section['id']}", expect=204)
    assert titles(await school.read(course["id"])) == []
    await school.instructor.call("GET", f"{path}/lessons/{section['lessons'][1]['id']}", expect=404)


async def test_parts_of_another_course_are_not_found(deploy: Deploy) -> None:
    """An own course does not open the parts of another one."""
    school = await open_school(deploy)
    own, other = await school.draft(), await school.draft()
    path, theirs = f"{COURSES}/{own['id']}", other["sections"][0]

    await school.instructor.call("PATCH", f"{path}/sections/{theirs['id']}", {"title": "X"}, expect=404)
    await school.instructor.call("DELETE", f"{path}/sections/{theirs['id']}", expect=404)
    await school.instructor.call("DELETE", f"{path}/lessons/{theirs['lessons'][0]['id']}", expect=404)
    await school.instructor.call(
        "POST", f"{path}/sections/{theirs['id']}/lessons", {"title": "X", "kind": "video"}, expect=404
    )

    assert await school.read(other["id"]) == other


async def test_a_course_holds_only_so_many_parts(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is named, and the part over it is not kept."""
    monkeypatch.setattr(editing, "MAX_SECTIONS", 2)
    monkeypatch.setattr(editing, "MAX_LESSONS", 2)
    school = await open_school(deploy)
    course = await school.draft()
    path = f"{COURSES}/{course['id']}"
    await add_section(school, course, "Sails")

    sections = await school.instructor.call("POST", f"{path}/sections", {"title": "Third"}, expect=409)
    third = {"title": "Third", "kind": "video"}
    section = course["sections"][0]["id"]
    refused = await school.instructor.call("POST", f"{path}/sections/{section}/lessons", third, expect=409)

    assert sections["detail"] == "A course holds at most 2 sections; remove one before you add another."
    assert refused["detail"] == "A course holds at most 2 lessons; remove one before you add another."
    assert titles(await school.read(course["id"])) == [("Knots", ["Bowline", "Welcome"]), ("Sails", [])]
