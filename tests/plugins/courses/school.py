"""A small school: people, and the steps that many tests of courses begin with."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from kernel import Context, Contribution, Manifest, Plugin, Provide, Route, hookimpl, new_id, post
from kernel.contracts.courses import COURSE_ACCESS, CourseAccess
from kernel.contracts.users import ProfileChanged
from kernel.database import Session
from kernel.http.routes import PUBLIC
from kernel.testing.choices import Tables
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment

COURSES: Final = "/api/v1/courses"
COMPLETE: Final = {
    "title": "Sailing",
    "summary": "From harbour to harbour.",
    "description": "Knots, sails and stars.",
    "category": "sports",
    "price": 1900,
}
JSON = dict[str, Any]


@dataclass(frozen=True)
class School:
    """A deployment with courses, an instructor and an administrator."""

    deployment: Deployment
    instructor: Client
    admin: Client

    async def draft(self, **facts: object) -> JSON:
        """Return a new complete draft with one section, an article and a preview video."""
        course: JSON = await self.instructor.call("POST", COURSES, {**COMPLETE, **facts}, expect=201)
        path = f"{COURSES}/{course['id']}"
        section = await self.instructor.call("POST", f"{path}/sections", {"title": "Knots"}, expect=201)
        for lesson in (
            {"title": "Bowline", "kind": "article", "text": "Make a loop."},
            {"title": "Welcome", "kind": "video", "preview": True},
        ):
            await self.instructor.call("POST", f"{path}/sections/{section['id']}/lessons", lesson, expect=201)
        return await self.read(course["id"])

    async def published(self, **facts: object) -> JSON:
        """Return a new published course."""
        course = await self.draft(**facts)
        await self.instructor.call("POST", f"{COURSES}/{course['id']}/submit")
        shown: JSON = await self.admin.call("POST", f"{COURSES}/{course['id']}/publish")
        return shown

    async def read(self, course_id: str) -> JSON:
        """Return the course as its instructor sees it."""
        shown: JSON = await self.instructor.call("GET", f"{COURSES}/{course_id}")
        return shown

    async def catalogue(self, **query: str) -> list[str]:
        """Return the titles of the published courses."""
        found = await self.deployment.client().call("GET", COURSES, params=query)
        return [course["title"] for course in found["items"]]


async def open_school(
    deploy: Deploy, *plugins: type[Plugin[Any]], sections: Tables | None = None, **settings: object
) -> School:
    """Start a deployment with courses and *plugins*; *settings* are those of courses."""
    deployment = await deploy("courses", plugins=plugins, settings={"courses": settings}, sections=sections)
    return School(deployment, deployment.client("instructor"), deployment.client("admin"))


def lessons(course: JSON) -> list[JSON]:
    """Return the lessons of all sections in order."""
    return [lesson for section in course["sections"] for lesson in section["lessons"]]


def contributing(name: str, contribution: Contribution[Any], service: object) -> type[Plugin[Any]]:
    """Return a plugin *name* that contributes *service*."""

    class Contributor(Plugin):
        manifest: ClassVar[Manifest] = Manifest(name=name, version="1", provides=(contribution,))

        @hookimpl
        def services(self, ctx: Context) -> Iterable[Provide[Any]]:
            return (Provide(contribution, lambda: nullcontext(service)),)

    return Contributor


def admitting(name: str, access: CourseAccess) -> type[Plugin[Any]]:
    """Return a plugin *name* that says who may open lessons."""
    return contributing(name, COURSE_ACCESS, access)


class PeoplePlugin(Plugin):
    """Tells of new names, as `users` does: `POST /people-names/{user_id}/{name}`."""

    manifest: ClassVar[Manifest] = Manifest(name="people-names", version="1", publishes=(ProfileChanged,))

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        async def rename(user_id: UUID, name: str, session: Session) -> None:
            event = ProfileChanged(user_id=user_id, display_name=name, locale="en", time_zone="UTC")
            await ctx.events.publish(session, event)

        return (post("/{user_id}/{name}", rename, permission=PUBLIC),)


def somebody() -> str:
    """Return the id of a person."""
    return str(new_id())


def without_request(problem: JSON) -> JSON:
    """Return *problem* without the id of its request, which differs each time."""
    return {name: value for name, value in problem.items() if name != "instance"}
