"""A course with people in it, and its room."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from kernel import new_id
from kernel.contracts.courses import COURSES
from kernel.contracts.enrollments import ENROLLMENTS
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.courses import InMemoryCourses
from kernel.testing.fakes.enrollments import InMemoryEnrollments, InMemoryEnrollmentsPlugin
from kernel.testing.fakes.users import InMemoryUsersPlugin

CHAT = "/api/v1/chat"


@dataclass
class Classroom:
    """The room of one course."""

    deployment: Deployment
    teacher: Client
    course: UUID
    room: str

    @property
    def path(self) -> str:
        return f"{CHAT}/rooms/{self.room}"

    def student(self, user: UUID | None = None) -> Client:
        """Return somebody who takes the course."""
        client = self.deployment.client("student", user=user)
        assert client.user is not None
        self.enrollments.enrol(client.user, self.course)
        return client

    @property
    def enrollments(self) -> InMemoryEnrollments:
        found = self.deployment.platform.services.get(ENROLLMENTS)
        assert isinstance(found, InMemoryEnrollments)
        return found

    async def twin(self) -> Classroom:
        """Return the same room in a second process, in which everybody takes the course who does by now."""
        twin = await self.deployment.twin()
        beside = replace(self, deployment=twin, teacher=twin.client("instructor", user=self.teacher.user))
        beside.enrollments._enrolled.update(self.enrollments._enrolled)
        beside.courses._offers.update(self.courses._offers)
        return beside

    @property
    def courses(self) -> InMemoryCourses:
        found = self.deployment.platform.services.get(COURSES)
        assert isinstance(found, InMemoryCourses)
        return found

    async def begin_again(self, enrolled: Any, offers: Any) -> None:
        """Start the deployment that has stopped, with what the fakes knew."""
        choice = self.deployment._choice
        await self.deployment.restart(*choice.names, plugins=choice.plugins, settings=choice.settings)
        self.enrollments._enrolled.update(enrolled)
        self.courses._offers.update(offers)

    async def another(self) -> str:
        """Return the room of another course of the same teacher."""
        course = self.courses.add(0, instructor=self.teacher.user)
        opened = await self.teacher.call("POST", f"{CHAT}/courses/{course}/room")
        return str(opened["id"])

    async def say(self, client: Client, text: str, *, client_id: str | None = None, **more: Any) -> Any:
        """Say something; return what is answered."""
        body = {"client_id": client_id or new_id().hex, "text": text, **more}
        return await client.call("POST", f"{self.path}/messages", body)

    async def refused(self, client: Client, text: str, status: int, **more: Any) -> Any:
        """Say something that is refused with *status*; return the problem."""
        body = {"client_id": new_id().hex, "text": text, **more}
        return await client.call("POST", f"{self.path}/messages", body, expect=status)

    async def history(self, client: Client) -> list[Any]:
        """Return what the person sees, the oldest first."""
        shown = await client.call("GET", f"{self.path}/messages", params={"limit": "100"})
        return list(reversed(shown["items"]))

    async def texts(self, client: Client) -> list[str]:
        return [message["text"] for message in await self.history(client)]

    async def since(self, client: Client, epoch: str, offset: int) -> Any:
        params = {"epoch": epoch, "offset": str(offset)}
        return await client.call("GET", f"{self.path}/entries", params=params)

    async def position(self, client: Client) -> tuple[str, int]:
        shown = await client.call("GET", self.path)
        return shown["epoch"], shown["last_offset"]

    async def rules(self, **rules: Any) -> None:
        await self.teacher.call("PUT", f"{self.path}/rules", rules)


async def open_classroom(deploy: Deploy, *names: str, settings: dict[str, Any] | None = None, **more: Any) -> Classroom:
    """Deploy chat with the fakes of what is around it."""
    plugins = (InMemoryEnrollmentsPlugin, InMemoryUsersPlugin, *more.pop("plugins", ()))
    tables = {"chat": {"messages_per_person": "1000/second", **(settings or {})}}
    deployment = await deploy("chat", *names, plugins=plugins, settings=tables, **more)
    return await a_class(deployment)


async def a_class(deployment: Deployment) -> Classroom:
    """Return a course with its teacher and its room."""
    teacher = deployment.client("instructor")
    courses = deployment.platform.services.get(COURSES)
    assert isinstance(courses, InMemoryCourses)
    course = courses.add(0, instructor=teacher.user)
    room = await teacher.call("POST", f"{CHAT}/courses/{course}/room")
    return Classroom(deployment, teacher, course, room["id"])
