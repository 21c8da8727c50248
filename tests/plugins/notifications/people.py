"""People to be told of something, by the events that others publish."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from kernel import Event, new_id
from kernel.contracts.auth import SignedInFromNewDevice, UserRegistered
from kernel.contracts.chat import MemberMentioned, MessageAnswered, MessageRemoved
from kernel.contracts.courses import COURSES, CoursePublished
from kernel.contracts.enrollments import GrantWaits, UserEnrolled
from kernel.contracts.notifications import NotificationRequested
from kernel.contracts.payments import ChargeRefunded, PurchaseCharged, VoucherRedeemed
from kernel.contracts.users import ProfileChanged
from kernel.testing import teller
from kernel.testing.choices import PluginClass
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.courses import InMemoryCourses, InMemoryCoursesPlugin
from kernel.testing.mailbox import ReceivedMail

PATH: Final = "/api/v1/notifications"
EVENTS: Final = (
    *(UserRegistered, ProfileChanged, SignedInFromNewDevice, UserEnrolled, GrantWaits, CoursePublished),
    *(PurchaseCharged, ChargeRefunded, VoucherRedeemed, MemberMentioned, MessageAnswered, MessageRemoved),
    NotificationRequested,
)
#: 12:00 in UTC on a Wednesday, at which tests of hours begin.
NOON: Final = datetime(2027, 3, 10, 12, tzinfo=UTC)


@dataclass
class House:
    """A deployment with notifications, and somebody who tells what happens."""

    deployment: Deployment
    teacher: UUID = field(default_factory=new_id)  #: somebody who teaches

    async def tell(self, *events: Event) -> list[UUID]:
        """Publish events, and return when everybody concerned was told."""
        ids = await teller.tell(self.deployment, *events)
        await self.told()
        return ids

    async def told(self) -> None:
        """Wait until mails that were asked for are on their way."""
        await asyncio.sleep(0.3)
        await self.deployment.settle()

    async def at(self, moment: datetime) -> None:
        """Have it be *moment*, and return when what is due then has gone."""
        clock = self.deployment.clock
        clock.advance((moment - clock.now()).total_seconds())
        await self.told()

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
        course = self._courses().add(1900)
        self.rename(course, title)
        return course

    def rename(self, course: UUID, title: str) -> None:
        """Have the course be called otherwise."""
        self._courses()._renew(course, title=title)

    def _courses(self) -> InMemoryCourses:
        courses = self.deployment.platform.services.get(COURSES)
        assert isinstance(courses, InMemoryCourses)
        return courses


async def open_house(deploy: Deploy, *others: PluginClass, names: tuple[str, ...] = (), **settings: Any) -> House:
    """Start it, with whatever else is to run."""
    plugins = [teller.teller_of(*EVENTS), InMemoryCoursesPlugin, *others]
    tables = {"notifications": {"look_every": 0.1, **settings}}
    return House(await deploy("notifications", "mail", *names, plugins=plugins, settings=tables))


def registered(user: UUID, email: str = "ada@example.org", *, locale: str = "en", name: str = "Ada") -> UserRegistered:
    """Return the event of an account."""
    return UserRegistered(user_id=user, email=email, display_name=name, locale=locale, roles=("student",))


def enrolled(user: UUID | None, course: UUID) -> UserEnrolled:
    """Return the event of an enrolment."""
    assert user is not None
    return UserEnrolled(user_id=user, course_id=course, grant_id=new_id(), source="purchase")


def mentioned(
    user: UUID | None,
    course: UUID,
    *,
    author: UUID | None = None,
    excerpt: str = "Look here",
    room: UUID | None = None,
) -> MemberMentioned:
    """Return the event of a message that names somebody."""
    assert user is not None
    said = {"offset": 7, "author": author or new_id(), "excerpt": excerpt}
    return MemberMentioned(user_id=user, room_id=room or new_id(), course_id=course, **said)  # type: ignore[arg-type]


async def records(client: Client) -> list[dict[str, Any]]:
    """Return what was decided about all that concerned somebody, the newest first."""
    found = await client.call("GET", f"{PATH}/decisions")
    return list(found["items"])


async def decision(client: Client, channel: str = "mail") -> str:
    """Return what was decided about the newest notice for a channel."""
    ways = (await records(client))[0]["ways"]
    return next(str(way["decision"]) for way in ways if way["channel"] == channel)


async def tray(client: Client) -> list[dict[str, Any]]:
    """Return somebody's notices, the newest first."""
    found = await client.call("GET", PATH)
    return list(found["items"])
