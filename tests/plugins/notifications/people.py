"""People to be told of something, by the events that others publish."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from kernel import Event, new_id
from kernel.contracts.auth import UserRegistered
from kernel.contracts.chat import MemberMentioned, MessageAnswered, MessageRemoved
from kernel.contracts.courses import COURSES
from kernel.contracts.enrollments import UserEnrolled
from kernel.contracts.payments import ChargeRefunded, PurchaseCharged, VoucherRedeemed
from kernel.contracts.users import ProfileChanged
from kernel.testing import teller
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.courses import InMemoryCourses, InMemoryCoursesPlugin
from kernel.testing.mailbox import ReceivedMail

PATH: Final = "/api/v1/notifications"
EVENTS: Final = (
    *(UserRegistered, ProfileChanged, UserEnrolled, PurchaseCharged, ChargeRefunded, VoucherRedeemed),
    *(MemberMentioned, MessageAnswered, MessageRemoved),
)


@dataclass
class House:
    """A deployment with notifications, and somebody who tells what happens."""

    deployment: Deployment

    async def tell(self, *events: Event) -> list[UUID]:
        """Publish events, and return when everybody concerned was told."""
        ids = await teller.tell(self.deployment, *events)
        await self.told()
        return ids

    async def told(self) -> None:
        """Wait until mails that were asked for are on their way."""
        await asyncio.sleep(0.3)
        await self.deployment.settle()

    async def person(self, email: str = "ada@example.org", *, locale: str = "en", name: str = "Ada") -> Client:
        """Return somebody who has just registered, without the welcome."""
        client = self.deployment.client("student")
        assert client.user is not None
        await self.tell(registered(client.user, email, locale=locale, name=name))
        await self.mail(email)
        return client

    async def mail(self, email: str = "ada@example.org") -> ReceivedMail:
        """Return the next mail to somebody."""
        return await self.deployment.mailbox.next(email)

    async def mails(self, email: str = "ada@example.org") -> int:
        """Return how many mails somebody has got."""
        await self.told()
        return sum(message.to == email for message in self.deployment.mailbox.messages)

    def course(self, title: str = "Knots") -> UUID:
        """Return a course."""
        courses = self.deployment.platform.services.get(COURSES)
        assert isinstance(courses, InMemoryCourses)
        course = courses.add(1900)
        courses._renew(course, title=title)
        return course


async def open_house(deploy: Deploy, **settings: Any) -> House:
    """Start it."""
    plugins = [teller.teller_of(*EVENTS), InMemoryCoursesPlugin]
    tables = {"notifications": {"look_every": 0.1, **settings}}
    return House(await deploy("notifications", "mail", plugins=plugins, settings=tables))


def registered(user: UUID, email: str = "ada@example.org", *, locale: str = "en", name: str = "Ada") -> UserRegistered:
    """Return the event of an account."""
    return UserRegistered(user_id=user, email=email, display_name=name, locale=locale, roles=("student",))


def enrolled(user: UUID | None, course: UUID) -> UserEnrolled:
    """Return the event of an enrolment."""
    assert user is not None
    return UserEnrolled(user_id=user, course_id=course, grant_id=new_id(), source="purchase")


async def tray(client: Client) -> list[dict[str, Any]]:
    """Return somebody's notices, the newest first."""
    found = await client.call("GET", PATH)
    return list(found["items"])
