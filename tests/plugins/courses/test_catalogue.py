"""The catalogue of published courses."""

from __future__ import annotations

import base64
from typing import Final

import msgspec

from kernel.testing.deploying import Deploy
from tests.plugins.courses.school import COURSES, open_school, somebody


async def test_the_catalogue_lists_what_is_published_newest_first(deploy: Deploy) -> None:
    """Drafts are not in it; a card shows who teaches but no description."""
    school = await open_school(deploy)
    await school.published(title="First")
    await school.draft(title="Draft")
    second = await school.published(title="Second")

    found = await school.deployment.client().call("GET", COURSES)

    assert [card["title"] for card in found["items"]] == ["Second", "First"]
    assert found["next"] is None
    card = found["items"][0]
    assert card == {name: second[name] for name in card}
    assert (card["lesson_count"], "description" in card) == (2, False)


async def test_pages_join_without_gap_or_repetition(deploy: Deploy) -> None:
    """A course that is published meanwhile does not shift what follows."""
    school = await open_school(deploy)
    for number in range(5):
        await school.published(title=f"Course {number}")
    client = school.deployment.client()

    seen, cursor = [], None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        found = await client.call("GET", COURSES, params=query)
        seen += [card["title"] for card in found["items"]]
        if len(seen) == 2:
            await school.published(title="Late")
        cursor = found["next"]
        if cursor is None:
            break

    assert seen == [f"Course {number}" for number in (4, 3, 2, 1, 0)]


async def test_filters_narrow_the_catalogue(deploy: Deploy) -> None:
    """Each alone and all together."""
    school = await open_school(deploy)
    await school.published(title="A", category="sports", level="beginner", language="en", price=0, tags=["sea"])
    await school.published(title="B", category="arts", level="advanced", language="de-AT", price=900, tags=["ink"])
    teacher = str(school.instructor.user)

    for query, expected in (
        ({"category": "arts"}, ["B"]),
        ({"level": "beginner"}, ["A"]),
        ({"language": "de-AT"}, ["B"]),
        ({"max_price": "899"}, ["A"]),
        ({"max_price": "900"}, ["B", "A"]),
        ({"tag": "sea"}, ["A"]),
        ({"tag": "unheard-of"}, []),
        ({"instructor": teacher}, ["B", "A"]),
        ({"instructor": somebody()}, []),
        ({"category": "arts", "level": "advanced", "tag": "ink", "max_price": "900", "instructor": teacher}, ["B"]),
        ({"category": "arts", "tag": "sea"}, []),
    ):
        assert await school.catalogue(**query) == expected, query


async def test_filtered_pages_join(deploy: Deploy) -> None:
    """The cursor goes with the filter."""
    school = await open_school(deploy)
    for number in range(3):
        await school.published(title=f"Sea {number}", tags=["sea"])
        await school.published(title=f"Land {number}")
    client = school.deployment.client()

    first = await client.call("GET", COURSES, params={"tag": "sea", "limit": 2})
    second = await client.call("GET", COURSES, params={"tag": "sea", "limit": 2, "cursor": first["next"]})

    assert [card["title"] for card in first["items"] + second["items"]] == ["Sea 2", "Sea 1", "Sea 0"]


REFUSED: Final = (
    ({"limit": "0"}, 422),
    ({"limit": "101"}, 422),
    ({"level": "wizard"}, 422),
    ({"instructor": "nobody"}, 422),
    ({"max_price": "-1"}, 422),
    ({"q": "sailing"}, 422),
    ({"cursor": "xyz"}, 400),
    ({"cursor": base64.urlsafe_b64encode(msgspec.json.encode([-1, somebody()])).decode()}, 400),
    ({"cursor": base64.urlsafe_b64encode(msgspec.json.encode([2**63, somebody()])).decode()}, 400),
    ({"cursor": base64.urlsafe_b64encode(msgspec.json.encode("2026-01-01")).decode()}, 400),
)


async def test_a_query_that_makes_no_sense_is_refused(deploy: Deploy) -> None:
    """Wrong values, unknown filters and forged cursors are the caller's mistake, never ours."""
    school = await open_school(deploy)
    client = school.deployment.client()

    for query, status in REFUSED:
        await client.call("GET", COURSES, params=query, expect=status)


async def test_the_own_list_shows_every_state(deploy: Deploy) -> None:
    """Newest first, page by page, and nobody else's."""
    school = await open_school(deploy)
    await school.published(title="One")
    await school.draft(title="Two")
    await school.draft(title="Three")
    path = f"{COURSES}/mine"

    first = await school.instructor.call("GET", path, params={"limit": 2})
    second = await school.instructor.call("GET", path, params={"limit": 2, "cursor": first["next"]})
    others = await school.deployment.client("instructor").call("GET", path)

    cards = [(card["title"], card["status"]) for card in first["items"] + second["items"]]
    assert cards == [("Three", "draft"), ("Two", "draft"), ("One", "published")]
    assert others["items"] == []


async def test_one_course_is_told_apart_by_its_tag(deploy: Deploy) -> None:
    """If-None-Match spares the body until the course changes."""
    school = await open_school(deploy)
    course = await school.published()
    path, client = f"{COURSES}/{course['id']}", school.deployment.client()
    async with client.get(path) as answer:
        tag = {"If-None-Match": answer.headers["ETag"]}

    async with client.get(path, headers=tag) as answer:
        unchanged = answer.status
    await school.instructor.call("PATCH", path, {"price": 1})
    async with client.get(path, headers=tag) as answer:
        changed = answer.status

    assert (unchanged, changed) == (304, 200)
