"""A deployment whose people and courses a test makes, and who is enrolled in what."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from uuid import UUID

import pypdf
from lyceum_certificates.issuing import Issuing

from kernel import Context, Manifest, Plugin, Provide, hookimpl, new_id
from kernel.contracts.courses import COURSES, CourseOffer
from kernel.contracts.enrollments import AccessEnded, UserEnrolled
from kernel.contracts.personal_data import PERSONAL_DATA, PersonalData
from kernel.contracts.users import USERS, Person
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment

API: Final = "/api/v1/certificates"
PATIENCE: Final = 15.0  # seconds


@dataclass
class World:
    """Provides `users/1` and `courses/1`, and outlives a restart; while it is *silent* it answers nothing."""

    names: dict[UUID, str] = field(default_factory=dict)
    titles: dict[UUID, str] = field(default_factory=dict)
    silent: bool = False
    asked: int = 0

    async def people(self, ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        self.asked += 1
        if self.silent:
            raise ConnectionError("nobody answers")
        return {one: Person(id=one, display_name=self.names[one]) for one in ids if one in self.names}

    async def offer(self, course_id: UUID) -> CourseOffer | None:
        if course_id not in self.titles:
            return None
        title = self.titles[course_id]
        return CourseOffer(
            id=course_id, title=title, status="published", price=0, currency="EUR", instructors=(new_id(),)
        )

    def plugin(self) -> type[Plugin]:
        world = self

        class WorldPlugin(Plugin):
            """Knows whom and what the test made."""

            manifest: ClassVar[Manifest] = Manifest(name="world", version="1", provides=(COURSES, USERS))

            @hookimpl
            def services(self, ctx: Context) -> Iterable[Provide[Any]]:
                yield Provide(USERS, lambda: contextlib.nullcontext(world))
                yield Provide(COURSES, lambda: contextlib.nullcontext(world))

        return WorldPlugin


@dataclass
class School:
    """The deployment and its world."""

    deployment: Deployment
    world: World
    settings: dict[str, object]

    def person(self, name: str = "Ada Long") -> UUID:
        self.world.names[person := new_id()] = name
        return person

    def course(self, title: str = "Geometry") -> UUID:
        self.world.titles[course := new_id()] = title
        return course

    def client(self, person: UUID) -> Client:
        return self.deployment.client("student", user=person)

    async def enrol(self, person: UUID, course: UUID) -> None:
        await self.deployment.events.deliver(enrolled(person, course))

    async def end(self, person: UUID, course: UUID) -> None:
        await self.deployment.events.deliver(ended(person, course))

    async def issue(self) -> None:
        """Have everything issued that can be."""
        await self.deployment.platform.context("certificates").own(Issuing).run()

    async def certified(self, name: str = "Ada Long", title: str = "Geometry") -> tuple[UUID, UUID, dict[str, Any]]:
        """Return a person, a course and the certificate that was issued."""
        person, course = self.person(name), self.course(title)
        await self.enrol(person, course)
        return person, course, await self.until(person, lambda one: one["state"] == "valid")

    async def mine(self, person: UUID, **query: Any) -> list[dict[str, Any]]:
        found = await self.client(person).call("GET", f"{API}/mine", params=query)
        return list(found["items"])

    async def until(self, person: UUID, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the person's one certificate once it is as *wanted*."""
        async with asyncio.timeout(PATIENCE):
            while True:
                [found] = await self.mine(person)
                if wanted(found):
                    return found
                await asyncio.sleep(0.02)

    async def pdf(self, client: Client, certificate: str) -> bytes:
        async with client.get(f"{API}/{certificate}/pdf") as answer:
            assert answer.status == 200, await answer.text()
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.content_type == "application/pdf"
            return await answer.read()

    async def verify(self, code: str) -> tuple[int, str]:
        """Return status and HTML of the page about *code*, as a stranger sees it."""
        async with self.deployment.client().get(f"/certificates/{code}") as answer:
            return answer.status, await answer.text()

    async def restart(self) -> None:
        plugins = [self.world.plugin()]
        await self.deployment.restart("certificates", plugins=plugins, settings={"certificates": self.settings})

    def personal_data(self) -> PersonalData:
        return dict(self.deployment.platform.services.named(PERSONAL_DATA))["certificates"]


def enrolled(person: UUID, course: UUID) -> UserEnrolled:
    return UserEnrolled(user_id=person, course_id=course, grant_id=new_id(), source="staff")


def ended(person: UUID, course: UUID) -> AccessEnded:
    return AccessEnded(user_id=person, course_id=course, reason="revoked")


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


async def make_school(deploy: Deploy, **settings: object) -> School:
    world = World()
    deployment = await deploy("certificates", plugins=[world.plugin()], settings={"certificates": settings})
    return School(deployment, world, settings)
