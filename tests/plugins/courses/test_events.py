"""What courses tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from kernel import Context, Delivery, Event, EventHandler, Manifest, Plugin, hookimpl, on
from kernel.contracts import courses as contract
from kernel.database import Session
from kernel.testing.deploying import Deploy
from plugins.courses import CoursesPlugin
from tests.plugins.courses.school import COMPLETE, COURSES, lessons, open_school, somebody

HEARD: Final[list[Event]] = []


class Listener(Plugin):
    """Keeps every event of courses."""

    manifest: ClassVar[Manifest] = Manifest(name="listener", version="1")

    @hookimpl
    def event_handlers(self, ctx: Context) -> Iterable[EventHandler]:
        async def hear(session: Session, delivery: Delivery[Any]) -> None:
            HEARD.append(delivery.event)

        return [on(event, hear, name=event.name) for event in CoursesPlugin.manifest.publishes]


async def test_every_fact_is_told(deploy: Deploy) -> None:
    """The life of a course, in its events."""
    HEARD.clear()
    school = await open_school(deploy, Listener)
    teacher, path = school.instructor, COURSES

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
    await school.deployment.settle()

    told = sorted(type(event).__name__ for event in HEARD)
    assert told == sorted(
        [
            *("CourseCreated", "CourseCreated", "CourseDeleted", "SectionAdded", "LessonAdded", "LessonAdded"),
            *("CourseChanged", "SectionChanged", "LessonChanged", "CourseReordered", "InstructorsChanged"),
            *("CourseSubmitted", "CourseReturned", "CourseSubmitted", "CoursePublished", "CourseArchived"),
            *("CoursePublished", "CourseArchived", "CourseRevised"),
            *("LessonRemoved", "LessonRemoved", "SectionRemoved"),
        ]
    )
    assert {type(event) for event in HEARD} == set(CoursesPlugin.manifest.publishes)


async def test_a_refused_change_tells_nothing(deploy: Deploy) -> None:
    """State and event are kept together or not at all."""
    HEARD.clear()
    school = await open_school(deploy, Listener)
    course = await school.instructor.call("POST", COURSES, {"title": "Empty"}, expect=201)

    await school.instructor.call("POST", f"{COURSES}/{course['id']}/submit", expect=422)
    await school.deployment.settle()

    assert [type(event) for event in HEARD] == [contract.CourseCreated]
