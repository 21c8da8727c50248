"""The HTTP routes of courses, below `/api/v1/courses`."""

from __future__ import annotations

from kernel import PUBLIC, Context, Route, delete, get, patch, post, problems, put
from plugins.courses.authoring import AuthoringApi
from plugins.courses.editing import CREATE, REVIEW
from plugins.courses.outlining import OutlineApi
from plugins.courses.reading import ReadingApi
from plugins.courses.settings import CoursesSettings

_CHANGE = (problems.NotFound, problems.Conflict, problems.PreconditionFailed, problems.Invalid)
_LESSON_LIMIT = 512 * 1024  # bytes; 100,000 characters of text may take four bytes each


def routes(ctx: Context[CoursesSettings]) -> tuple[Route, ...]:
    """Return every route; who publishes depends on whether reviews are required."""
    reading, authoring, outline = ReadingApi(ctx), AuthoringApi(ctx), OutlineApi(ctx)
    publisher = REVIEW if ctx.settings.review_required else CREATE
    course, lesson = "/{course_id}", "/{course_id}/lessons/{lesson_id}"
    section = "/{course_id}/sections/{section_id}"
    return (
        get("", reading.published, permission=PUBLIC, problems=(problems.InvalidCursor,)),
        get("/mine", reading.mine, permission=CREATE, problems=(problems.InvalidCursor,)),
        get("/review-queue", reading.review_queue, permission=REVIEW, problems=(problems.InvalidCursor,)),
        get(course, reading.one, permission=PUBLIC, problems=(problems.NotFound,)),
        get(
            lesson,
            reading.lesson,
            permission=PUBLIC,
            problems=(problems.NotFound, problems.NotSignedIn, problems.Forbidden),
        ),
        post("", authoring.create, permission=CREATE, status=201),
        patch(course, authoring.change, permission=CREATE, problems=_CHANGE),
        delete(course, authoring.remove, permission=CREATE, problems=_CHANGE),
        post(f"{course}/submit", authoring.submit, permission=CREATE, problems=_CHANGE),
        post(f"{course}/return", authoring.send_back, permission=REVIEW, problems=_CHANGE),
        post(f"{course}/publish", authoring.publish, permission=publisher, problems=_CHANGE),
        post(f"{course}/archive", authoring.archive, permission=CREATE, problems=_CHANGE),
        post(f"{course}/restore", authoring.restore, permission=publisher, problems=_CHANGE),
        post(f"{course}/revise", authoring.revise, permission=CREATE, problems=_CHANGE),
        post(f"{course}/instructors", authoring.add_instructor, permission=CREATE, problems=_CHANGE),
        delete(f"{course}/instructors/{{user_id}}", authoring.remove_instructor, permission=CREATE, problems=_CHANGE),
        put(f"{course}/order", outline.order_sections, permission=CREATE, problems=_CHANGE),
        post(f"{course}/sections", outline.add_section, permission=CREATE, status=201, problems=_CHANGE),
        patch(section, outline.change_section, permission=CREATE, problems=_CHANGE),
        delete(section, outline.remove_section, permission=CREATE, problems=_CHANGE),
        put(f"{section}/order", outline.order_lessons, permission=CREATE, problems=_CHANGE),
        post(
            f"{section}/lessons",
            outline.add_lesson,
            permission=CREATE,
            status=201,
            problems=_CHANGE,
            body_limit=_LESSON_LIMIT,
        ),
        patch(lesson, outline.change_lesson, permission=CREATE, problems=_CHANGE, body_limit=_LESSON_LIMIT),
        delete(lesson, outline.remove_lesson, permission=CREATE, problems=_CHANGE),
    )
