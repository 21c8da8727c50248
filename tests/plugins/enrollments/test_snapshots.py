"""What enrolments remember of courses."""

from __future__ import annotations

from kernel.testing.deploying import Deploy
from tests.plugins.courses.school import COURSES, School
from tests.plugins.enrollments.shop import ENROLLMENTS, settle


async def test_lists_show_courses_as_they_are_now(deploy: Deploy) -> None:
    """Title and state follow the course."""
    deployment = await deploy("courses", "payments", "enrollments")
    school = School(deployment, deployment.client("instructor"), deployment.client("admin"))
    course, student = await school.published(), deployment.client("student")
    body = {"user_id": str(student.user), "course_id": course["id"], "reason": "Friend."}
    await school.admin.call("POST", f"{ENROLLMENTS}/grants", body, expect=201)

    async def shown() -> list[tuple[str, str]]:
        await settle(deployment)
        found = await student.call("GET", f"{ENROLLMENTS}/mine")
        return [(item["title"], item["status"]) for item in found["items"]]

    assert await shown() == [("Sailing", "published")]
    await school.instructor.call("PATCH", f"{COURSES}/{course['id']}", {"title": "Rowing"})
    assert await shown() == [("Rowing", "published")]
    await school.instructor.call("POST", f"{COURSES}/{course['id']}/archive")
    assert await shown() == [("Rowing", "archived")]
