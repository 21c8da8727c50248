"""What courses tell."""

from __future__ import annotations

from kernel.contracts import courses as contract
from kernel.testing import witness
from kernel.testing.deploying import Deploy
from plugins.courses import CoursesPlugin
from tests.plugins.courses.school import COMPLETE, COURSES, School, lessons, open_school, somebody


async def told(school: School) -> list[str]:
    """Return the names of the events that were told."""
    await school.deployment.settle()
    witnessed = school.deployment.platform.context(witness.NAME).own(witness.Witnessed)
    return [type(event).__name__ for event in witnessed.events]


async def test_every_fact_is_told(deploy: Deploy) -> None:
    """The life of a course, in its events."""
    school = await open_school(deploy, witness.witness_of(*CoursesPlugin.manifest.publishes))
    teacher = school.instructor

    course = await school.draft()
    path = f"{COURSES}/{course['id']}"
    section, (article, video) = course["sections"][0], lessons(course)
    await teacher.call("PATCH", path, {"price": 5})
    await teacher.call("PATCH", f"{path}/sections/{section['id']}", {"title": "More knots"})
    await teacher.call("PATCH", f"{path}/lessons/{video['id']}", {"title": "Hello"})
    await teacher.call("PUT", f"{path}/sections/{section['id']}/order", {"lesson_ids": [video["id"], article["id"]]})
    await teacher.call("POST", f"{path}/instructors", {"user_id": somebody()})
    await teacher.call("POST", f"{path}/submit")
    await school.admin.call("POST", f"{path}/return", {"reason": "Typo."})
    await teacher.call("POST", f"{path}/submit")
    await school.admin.call("POST", f"{path}/publish")
    await teacher.call("POST", f"{path}/archive")
    await school.admin.call("POST", f"{path}/restore")
    await teacher.call("POST", f"{path}/archive")
    await teacher.call("POST", f"{path}/revise")
    await teacher.call("DELETE", f"{path}/lessons/{video['id']}", expect=204)
    await teacher.call("DELETE", f"{path}/sections/{section['id']}", expect=204)
    gone = await teacher.call("POST", COURSES, COMPLETE, expect=201)
    await teacher.call("DELETE", f"{COURSES}/{gone['id']}", expect=204)

    heard = await told(school)
    assert sorted(heard) == sorted(
        [
            *("CourseCreated", "CourseCreated", "CourseDeleted", "SectionAdded", "LessonAdded", "LessonAdded"),
            *("CourseChanged", "SectionChanged", "LessonChanged", "CourseReordered", "InstructorsChanged"),
            *("CourseSubmitted", "CourseReturned", "CourseSubmitted", "CoursePublished", "CourseArchived"),
            *("CoursePublished", "CourseArchived", "CourseRevised"),
            *("LessonRemoved", "LessonRemoved", "SectionRemoved"),
            *("ActRecorded", "ActRecorded", "ActRecorded"),
        ]
    )
    of_names = {"SubjectChanged"}  # told where a course shows a new name, which is no fact about the course
    assert set(heard) | of_names == {event.__name__ for event in CoursesPlugin.manifest.publishes}


async def test_a_refused_change_tells_nothing(deploy: Deploy) -> None:
    """State and event are kept together or not at all."""
    school = await open_school(deploy, witness.witness_of(*CoursesPlugin.manifest.publishes))
    course = await school.instructor.call("POST", COURSES, {"title": "Empty"}, expect=201)

    await school.instructor.call("POST", f"{COURSES}/{course['id']}/submit", expect=422)

    assert await told(school) == [contract.CourseCreated.__name__]
