"""From draft to published and on."""

from __future__ import annotations

from kernel.testing.deploying import Deploy
from tests.plugins.courses.school import COMPLETE, COURSES, open_school


async def test_a_course_goes_through_review_to_learners(deploy: Deploy) -> None:
    """Submitted it stands in the reviewers' queue, published in the catalogue and no longer in the queue."""
    school = await open_school(deploy)
    course = await school.draft()
    path = f"{COURSES}/{course['id']}"

    submitted = await school.instructor.call("POST", f"{path}/submit")
    queue = await school.admin.call("GET", f"{COURSES}/review-queue")
    assert submitted["status"] == "in-review"
    assert [card["id"] for card in queue["items"]] == [course["id"]]
    assert await school.catalogue() == []

    published = await school.admin.call("POST", f"{path}/publish")
    assert published["status"] == "published"
    assert published["published_at"]
    assert await school.catalogue() == ["Sailing"]
    assert (await school.admin.call("GET", f"{COURSES}/review-queue"))["items"] == []
    assert await school.deployment.client().call("GET", path) == published


async def test_instructors_can_not_publish_where_reviews_are_required(deploy: Deploy) -> None:
    """Publishing, sending back and restoring are the reviewers'."""
    school = await open_school(deploy)
    course = await school.draft()
    path = f"{COURSES}/{course['id']}"
    await school.instructor.call("POST", f"{path}/submit")

    await school.instructor.call("POST", f"{path}/publish", expect=403)
    await school.instructor.call("POST", f"{path}/return", {"reason": "I can"}, expect=403)
    await school.instructor.call("POST", f"{path}/restore", expect=403)

    assert (await school.read(course["id"]))["status"] == "in-review"


async def test_instructors_publish_their_own_where_no_review_is_required(deploy: Deploy) -> None:
    """A draft becomes published in one step, by its instructors only."""
    school = await open_school(deploy, review_required=False)
    course = await school.draft()
    path = f"{COURSES}/{course['id']}"

    await school.deployment.client("instructor").call("POST", f"{path}/publish", expect=404)
    published = await school.instructor.call("POST", f"{path}/publish")

    assert published["status"] == "published"


async def test_a_course_that_lacks_something_is_not_submitted(deploy: Deploy) -> None:
    """The answer lists everything that is missing."""
    school = await open_school(deploy)
    course = await school.instructor.call("POST", COURSES, {"title": "Empty"}, expect=201)

    problem = await school.instructor.call("POST", f"{COURSES}/{course['id']}/submit", expect=422)

    assert [error["field"] for error in problem["errors"]] == [
        "course.summary",
        "course.description",
        "course.category",
        "course.lessons",
    ]
    assert await school.read(course["id"]) == course


async def test_a_published_course_stays_complete(deploy: Deploy) -> None:
    """What learners need can not be taken away while they see the course."""
    school = await open_school(deploy)
    course = await school.published()
    path = f"{COURSES}/{course['id']}"

    await school.instructor.call("PATCH", path, {"description": " "}, expect=422)
    await school.instructor.call("DELETE", f"{path}/sections/{course['sections'][0]['id']}", expect=422)

    assert await school.read(course["id"]) == course


async def test_a_reviewer_sends_a_course_back(deploy: Deploy) -> None:
    """It is a draft again, and tells its teachers why until it is submitted anew; a reason is required."""
    school = await open_school(deploy)
    course = await school.draft()
    path = f"{COURSES}/{course['id']}"
    await school.instructor.call("POST", f"{path}/submit")

    await school.admin.call("POST", f"{path}/return", {}, expect=422)
    returned = await school.admin.call("POST", f"{path}/return", {"reason": "Too short."})

    assert (returned["status"], returned["review_note"]) == ("draft", "Too short.")
    changed = await school.instructor.call("PATCH", path, {"title": "Longer"})
    assert changed["review_note"] == "Too short."
    submitted = await school.instructor.call("POST", f"{path}/submit")
    assert submitted["review_note"] is None


async def test_an_archived_course_comes_back(deploy: Deploy) -> None:
    """Archived it is not listed; restored it stands at its old place; revised it is a draft."""
    school = await open_school(deploy)
    course = await school.published()
    await school.published(title="Newer")
    path = f"{COURSES}/{course['id']}"

    await school.instructor.call("POST", f"{path}/archive")
    assert await school.catalogue() == ["Newer"]
    await school.deployment.client().call("GET", path, expect=404)

    restored = await school.admin.call("POST", f"{path}/restore")
    assert restored["published_at"] == course["published_at"]
    assert await school.catalogue() == ["Newer", "Sailing"]

    await school.instructor.call("POST", f"{path}/archive")
    revised = await school.instructor.call("POST", f"{path}/revise")
    assert revised["status"] == "draft"


async def test_a_step_that_does_not_fit_is_a_conflict(deploy: Deploy) -> None:
    """Nothing changes."""
    school = await open_school(deploy)
    course = await school.draft()

    problem = await school.instructor.call("POST", f"{COURSES}/{course['id']}/archive", expect=409)

    assert problem["detail"] == "The course is draft; 'archive' needs it to be published."
    assert await school.read(course["id"]) == course


async def test_the_queue_shows_who_waits_longest_first_page_by_page(deploy: Deploy) -> None:
    """Pages join without a gap and end."""
    school = await open_school(deploy)
    submitted = []
    for number in range(3):
        course = await school.draft(**{**COMPLETE, "title": f"Course {number}"})
        await school.instructor.call("POST", f"{COURSES}/{course['id']}/submit")
        submitted.append(course["id"])

    first = await school.admin.call("GET", f"{COURSES}/review-queue", params={"limit": 2})
    second = await school.admin.call("GET", f"{COURSES}/review-queue", params={"limit": 2, "cursor": first["next"]})

    assert [card["id"] for card in first["items"] + second["items"]] == submitted
    assert second["next"] is None
