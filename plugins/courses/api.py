"""The HTTP routes of courses, below `/api/v1/courses`."""

from __future__ import annotations

from typing import Final

from kernel import PUBLIC, Context, Route, delete, get, patch, post, problems, put
from plugins.courses.authoring import AuthoringApi
from plugins.courses.editing import CREATE, REVIEW
from plugins.courses.outlining import OutlineApi
from plugins.courses.reading import ReadingApi
from plugins.courses.settings import CoursesSettings

_COURSE: Final = "/{course_id}"
_SECTION: Final = f"{_COURSE}/sections/{{section_id}}"
_LESSON: Final = f"{_COURSE}/lessons/{{lesson_id}}"
_CHANGE: Final = (problems.NotFound, problems.Conflict, problems.PreconditionFailed, problems.Invalid)
_LESSON_LIMIT: Final = 512 * 1024  # bytes; 100,000 characters of text may take four bytes each


def routes(ctx: Context[CoursesSettings]) -> tuple[Route, ...]:
    """Return every route; who publishes depends on whether reviews are required."""
    publisher = REVIEW if ctx.settings.review_required else CREATE
    return (
        *_reading_routes(ReadingApi(ctx)),
        *_authoring_routes(AuthoringApi(ctx), publisher),
        *_outline_routes(OutlineApi(ctx)),
    )


def _reading_routes(reading: ReadingApi) -> tuple[Route, ...]:
    return (
        get("", reading.published, permission=PUBLIC, problems=(problems.InvalidCursor,)),
        get("/mine", reading.mine, permission=CREATE, problems=(problems.InvalidCursor,)),
        get("/review-queue", reading.review_queue, permission=REVIEW, problems=(problems.InvalidCursor,)),
        get(_COURSE, reading.one, permission=PUBLIC, problems=(problems.NotFound,)),
        get(
            _LESSON,
            reading.lesson,
            permission=PUBLIC,
            problems=(problems.NotFound, problems.NotSignedIn, problems.Forbidden),
        ),
    )


def _authoring_routes(authoring: AuthoringApi, publisher: str) -> tuple[Route, ...]:
    return (
        post("", authoring.create, permission=CREATE, status=201),
        patch(_COURSE, authoring.change, permission=CREATE, problems=_CHANGE),
        delete(_COURSE, authoring.remove, permission=CREATE, problems=_CHANGE),
        post(f"{_COURSE}/submit", authoring.submit, permission=CREATE, problems=_CHANGE),
        post(f"{_COURSE}/return", authoring.send_back, permission=REVIEW, problems=_CHANGE),
        post(f"{_COURSE}/publish", authoring.publish, permission=publisher, problems=_CHANGE),
        post(f"{_COURSE}/archive", authoring.archive, permission=CREATE, problems=_CHANGE),
        post(f"{_COURSE}/restore", authoring.restore, permission=publisher, problems=_CHANGE),
        post(f"{_COURSE}/revise", authoring.revise, permission=CREATE, problems=_CHANGE),
        post(f"{_COURSE}/instructors", authoring.add_instructor, permission=CREATE, problems=_CHANGE),
        delete(f"{_COURSE}/instructors/{{user_id}}", authoring.remove_instructor, permission=CREATE, problems=_CHANGE),
    )


def _outline_routes(outline: OutlineApi) -> tuple[Route, ...]:
    return (
        put(f"{_COURSE}/order", outline.order_sections, permission=CREATE, problems=_CHANGE),
        post(f"{_COURSE}/sections", outline.add_section, permission=CREATE, status=201, problems=_CHANGE),
        patch(_SECTION, outline.change_section, permission=CREATE, problems=_CHANGE),
        delete(_SECTION, outline.remove_section, permission=CREATE, problems=_CHANGE),
        put(f"{_SECTION}/order", outline.order_lessons, permission=CREATE, problems=_CHANGE),
        post(
            f"{_SECTION}/lessons",
            outline.add_lesson,
            permission=CREATE,
            status=201,
            problems=_CHANGE,
            body_limit=_LESSON_LIMIT,
        ),
        patch(_LESSON, outline.change_lesson, permission=CREATE, problems=_CHANGE, body_limit=_LESSON_LIMIT),
        delete(_LESSON, outline.remove_lesson, permission=CREATE, problems=_CHANGE),
    )
