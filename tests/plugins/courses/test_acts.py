"""What somebody does to a course that others teach is told, with before and after; what its teachers do is not."""

from __future__ import annotations

from typing import Any

import pytest

from kernel import new_id
from kernel.contracts.audit import ActRecorded
from kernel.testing import witness
from kernel.testing.deploying import Deploy
from tests.plugins.courses.school import COURSES, JSON, School, lessons, open_school


async def overseen(deploy: Deploy, **settings: Any) -> School:
    """Return a school in which somebody listens to acts."""
    return await open_school(deploy, witness.witness_of(ActRecorded), **settings)


async def told(school: School) -> list[ActRecorded]:
    """Return the acts that were told."""
    await school.deployment.settle()
    events = school.deployment.platform.context(witness.NAME).own(witness.Witnessed).events
    return [event for event in events if isinstance(event, ActRecorded)]


async def the_act(school: School, action: str) -> ActRecorded:
    """Return the only act that was told, which must be the administrator's *action*."""
    (act,) = await told(school)
    assert (act.action, act.actor, act.origin) == (action, school.admin.user, "127.0.0.1")
    return act


async def test_what_teachers_do_is_no_act(deploy: Deploy) -> None:
    """It is their course, whatever they do with it."""
    school = await overseen(deploy)
    course = await school.draft()
    path, call = f"{COURSES}/{course['id']}", school.instructor.call

    await call("PATCH", path, {"title": "Rowing"})
    await call("PATCH", f"{path}/lessons/{lessons(course)[0]['id']}", {"text": "Make two loops."})
    await call("POST", f"{path}/submit")

    assert await told(school) == []


async def test_review_is_an_act(deploy: Deploy) -> None:
    """Publishing, sending back with the reason, and showing an archived course again; archiving for others too."""
    school = await overseen(deploy)
    path = f"{COURSES}/{(await school.draft())['id']}"

    await school.instructor.call("POST", f"{path}/submit")
    await school.admin.call("POST", f"{path}/return", {"reason": "The price is missing."})
    await school.instructor.call("POST", f"{path}/submit")
    await school.admin.call("POST", f"{path}/publish")
    await school.admin.call("POST", f"{path}/archive")
    await school.admin.call("POST", f"{path}/restore")
    await school.admin.call("POST", f"{path}/archive")
    await school.admin.call("POST", f"{path}/revise")
    await school.admin.call("POST", f"{path}/submit")

    acts = await told(school)
    steps = [(act.action.removeprefix("courses."), _status(act.before), _status(act.after)) for act in acts]
    assert steps == [
        ("return", "in-review", "draft"),
        ("publish", "in-review", "published"),
        ("archive", "published", "archived"),
        ("restore", "archived", "published"),
        ("archive", "published", "archived"),
        ("revise", "archived", "draft"),
        ("submit", "draft", "in-review"),
    ]
    assert acts[0].reason == "The price is missing."
    assert {act.subject for act in acts} == {f"course:{path.rpartition('/')[2]}"}


def _status(facts: dict[str, Any] | None) -> object:
    assert facts is not None
    return facts["status"]


async def test_refused_step_is_no_act(deploy: Deploy) -> None:
    """The course is as it was."""
    school = await overseen(deploy)
    path = f"{COURSES}/{(await school.draft())['id']}"

    await school.admin.call("POST", f"{path}/publish", expect=409)

    assert await told(school) == []


async def test_change_of_facts_tells_what_changed_alone(deploy: Deploy) -> None:
    """The old price and the new, and nothing of what stayed."""
    school = await overseen(deploy)
    course = await school.draft()

    await school.admin.call("PATCH", f"{COURSES}/{course['id']}", {"price": 2500, "title": course["title"]})

    act = await the_act(school, "courses.change")
    assert (act.before, act.after) == ({"price": 1900}, {"price": 2500})


async def test_removal_tells_what_was_removed(deploy: Deploy) -> None:
    """Title, state, price and who taught it; there is no after."""
    school = await overseen(deploy)
    course = await school.draft()

    await school.admin.call("DELETE", f"{COURSES}/{course['id']}", expect=204)

    act = await the_act(school, "courses.remove")
    assert act.before is not None
    assert (act.before["title"], act.before["status"], act.before["price"]) == ("Sailing", "draft", 1900)
    assert [person["id"] for person in act.before["instructors"]] == [str(school.instructor.user)]
    assert act.after is None


async def test_who_teaches_is_told(deploy: Deploy) -> None:
    """Added once and removed; adding again is no act."""
    school = await overseen(deploy)
    path, second = f"{COURSES}/{(await school.draft())['id']}/instructors", str(new_id())

    for _ in range(2):
        await school.admin.call("POST", path, {"user_id": second})
    await school.admin.call("DELETE", f"{path}/{second}")

    added, removed = await told(school)
    assert (added.action, removed.action) == ("courses.add_instructor", "courses.remove_instructor")
    first = str(school.instructor.user)
    assert (_teachers(added.before), _teachers(added.after)) == ([first], [first, second])
    assert (_teachers(removed.before), _teachers(removed.after)) == ([first, second], [first])


def _teachers(facts: dict[str, Any] | None) -> list[str]:
    assert facts is not None
    return [person["id"] for person in facts["instructors"]]


@pytest.mark.parametrize("action", ["add_section", "change_section", "remove_section", "order_sections"])
async def test_change_of_sections_is_told(deploy: Deploy, action: str) -> None:
    """Before and after, for each way to change them."""
    school = await overseen(deploy)
    course = await school.draft()
    path, (section,) = f"{COURSES}/{course['id']}", course["sections"]
    other = await school.instructor.call("POST", f"{path}/sections", {"title": "Stars"}, expect=201)
    first, second = f"section {section['id']}", f"section {other['id']}"
    both = [section["id"], other["id"]]
    requests: dict[str, tuple[str, str, object]] = {
        "add_section": ("POST", f"{path}/sections", {"title": "Sails"}),
        "change_section": ("PATCH", f"{path}/sections/{section['id']}", {"title": "Ropes"}),
        "remove_section": ("DELETE", f"{path}/sections/{other['id']}", None),
        "order_sections": ("PUT", f"{path}/order", {"section_ids": both[::-1]}),
    }

    await school.admin.call(*requests[action])

    act = await the_act(school, f"courses.{action}")
    before, after = act.before or {}, act.after or {}
    if action == "add_section":
        (new,) = {name for name in after if name.startswith("section ")}
        assert (before[new], after[new]) == (None, {"title": "Sails", "lessons": []})
    elif action == "change_section":
        assert (before[first]["title"], after[first]["title"]) == ("Knots", "Ropes")
        assert list(before) == list(after) == [first]
    elif action == "remove_section":
        assert (before[second], after[second]) == ({"title": "Stars", "lessons": []}, None)
    else:
        assert (before, after) == ({"sections": both}, {"sections": both[::-1]})


@pytest.mark.parametrize("action", ["add_lesson", "change_lesson", "remove_lesson", "order_lessons"])
async def test_change_of_lessons_is_told(deploy: Deploy, action: str) -> None:
    """Before and after, for each way to change them; of a long text its beginning and length."""
    school = await overseen(deploy)
    course = await school.draft()
    path, (section,) = f"{COURSES}/{course['id']}", course["sections"]
    article, video = lessons(course)
    ids = [article["id"], video["id"]]
    requests: dict[str, tuple[str, str, object]] = {
        "add_lesson": ("POST", f"{path}/sections/{section['id']}/lessons", {"title": "Reef", "kind": "video"}),
        "change_lesson": ("PATCH", f"{path}/lessons/{article['id']}", {"title": "Sheet bend", "text": "x" * 5000}),
        "remove_lesson": ("DELETE", f"{path}/lessons/{video['id']}", None),
        "order_lessons": ("PUT", f"{path}/sections/{section['id']}/order", {"lesson_ids": ids[::-1]}),
    }

    await school.admin.call(*requests[action])

    act = await the_act(school, f"courses.{action}")
    before, after = act.before or {}, act.after or {}
    if action == "add_lesson":
        (new,) = {name for name in after if name.startswith("lesson ")}
        assert (before[new], after[new]["title"]) == (None, "Reef")
    elif action == "change_lesson":
        name = f"lesson {article['id']}"
        assert (before[name]["title"], after[name]["title"]) == ("Bowline", "Sheet bend")
        assert (before["text"], after["text"]) == ("Make a loop.", f"{'x' * 200}… (5000 characters)")
    elif action == "remove_lesson":
        name = f"lesson {video['id']}"
        assert (before[name]["title"], after[name]) == ("Welcome", None)
    else:
        name = f"section {section['id']}"
        assert (before[name]["lessons"], after[name]["lessons"]) == (ids, ids[::-1])


async def test_own_publication_without_reviews_is_no_act(deploy: Deploy) -> None:
    """Where instructors publish by themselves, an administrator who does it for them acts."""
    school = await overseen(deploy, review_required=False)
    own: JSON = await school.draft()
    other: JSON = await school.draft()

    await school.instructor.call("POST", f"{COURSES}/{own['id']}/publish")
    await school.admin.call("POST", f"{COURSES}/{other['id']}/publish")

    assert (await the_act(school, "courses.publish")).subject == f"course:{other['id']}"
