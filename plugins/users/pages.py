"""The page `/instructors/{id}`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from kernel import PUBLIC, Context, Request, problems, web
from plugins.users.profiles import Profiles
from plugins.users.settings import UsersSettings


def instructor_pages(ctx: Context[UsersSettings]) -> tuple[web.PageDeclaration, ...]:
    """Return the pages."""
    page = InstructorPage(ctx)
    return (
        web.Templates(Path(__file__).parent / "templates"),
        web.Page(path="/instructors/{person}", template="users/instructor.html", handler=page.show, permission=PUBLIC),
    )


class InstructorPage:
    """Shows who teaches."""

    def __init__(self, ctx: Context[UsersSettings]) -> None:
        self._profiles = ctx.own(Profiles)

    async def show(self, request: Request) -> Mapping[str, object]:
        try:
            person = UUID(request.http.match_info["person"])
        except ValueError as error:
            raise problems.NotFound from error
        found = await self._profiles.teacher(person)
        if found is None:
            raise problems.NotFound
        return {"instructor": found}
