"""A thousand events for each plugin that listens to others, and what it made of them in the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from uuid import UUID

import sqlalchemy as sa

from kernel import Context, Event, Manifest, Plugin, Provide, Secrets, hookimpl
from kernel.contracts.audit import ActRecorded
from kernel.contracts.auth import RolesChanged, UserDisabled, UserEnabled, UserRegistered
from kernel.contracts.courses import COURSES, CourseChanged, CourseOffer
from kernel.contracts.mail import MailRequested, Message, requested
from kernel.contracts.users import ProfileChanged
from kernel.testing.choices import PluginClass, Tables
from kernel.testing.deployment import Deployment
from kernel.testing.feeding import NAME, feed, feeder

#: People or courses: whatever the events are about.
IDS: Final = tuple(UUID(int=number) for number in range(1, 51))
COUNT: Final = 1000
AT_ONCE: Final = 50  # events in one transaction
LONGEST: Final = 60.0  # seconds

Row = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Story:
    """What one plugin is told, and where it keeps what came of it."""

    plugin: str
    event: Callable[[Secrets, int], Event]  #: makes the event with this number
    kinds: tuple[type[Event], ...]  #: of the events
    kept: str  #: SQL that reads what was stored, but for what differs each time, such as an event's id
    rows: int  #: how many there are of it
    needs: tuple[str, ...] = ()
    unfinished: str = "SELECT 1 WHERE false"  #: SQL that finds something while work is left after the events
    beside: tuple[PluginClass, ...] = ()  #: plugins that stand for others
    settings: Tables = field(default_factory=dict)

    async def tell(self, deployment: Deployment) -> None:
        """Publish the events, and wait until whoever is there has handled them."""
        secrets = deployment.platform.context(NAME).secrets
        for start in range(0, COUNT, AT_ONCE):
            events = [self.event(secrets, number) for number in range(start, start + AT_ONCE)]
            await feed(deployment, *events, settle=LONGEST)

    async def stored(self, deployment: Deployment) -> list[Row]:
        """Return what the plugin has stored, once it has no work left."""
        db = deployment.platform.context(self.plugin).db
        async with asyncio.timeout(LONGEST), db.engine().connect() as connection:
            while (await connection.execute(sa.text(self.unfinished))).first() is not None:
                await connection.rollback()
                await asyncio.sleep(0.02)
            found = await connection.execute(sa.text(self.kept))
            return sorted(tuple(map(str, row)) for row in found)

    def classes(self) -> tuple[PluginClass, ...]:
        """Return the plugins of a deployment that are no installed ones."""
        return (feeder(*self.kinds), *self.beside)


class Shelf(Plugin):
    """Provides `courses/1`: fifty courses of which each is what it is from the beginning."""

    manifest: ClassVar[Manifest] = Manifest(name="test-shelf", version="1", provides=(COURSES,))

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(COURSES, lambda: contextlib.nullcontext(self))

    async def offer(self, course_id: UUID) -> CourseOffer | None:
        """Return the course; the last ten are gone."""
        number = course_id.int
        if number > 40:
            return None
        return CourseOffer(
            id=course_id,
            title=f"Course {number}",
            status="archived" if number % 3 == 0 else "published",
            price=number,
            currency="EUR",
            instructors=(),
            version=number,
        )


def _account(secrets: Secrets, number: int) -> Event:
    """Return, person by person: a registration, and then roles given and taken, closed and opened again."""
    turn, place = divmod(number, len(IDS))
    person = IDS[place]
    if turn == 0:
        name = f"Person {place}"
        return UserRegistered(
            user_id=person, email=f"{place}@school.test", display_name=name, locale="de", roles=("student",), version=1
        )
    match (turn + place) % 3:
        case 0:
            return UserDisabled(user_id=person, version=turn + 1)
        case 1:
            return UserEnabled(user_id=person, version=turn + 1)
        case _:
            return RolesChanged(user_id=person, roles=("student", "instructor")[: 1 + turn % 2], version=turn + 1)


def _name(secrets: Secrets, number: int) -> Event:
    person = IDS[number % len(IDS)]
    return ProfileChanged(user_id=person, display_name=f"Name {number}", locale="en", time_zone="UTC")


def _course(secrets: Secrets, number: int) -> Event:
    return CourseChanged(course_id=IDS[number % len(IDS)], title=f"Title {number}", price=number, currency="EUR")


def _act(secrets: Secrets, number: int) -> Event:
    subject = f"account:{IDS[number % len(IDS)]}"
    return ActRecorded(action="test.act", subject=subject, actor=IDS[0], reason=str(number), after={"number": number})


def _mail(secrets: Secrets, number: int) -> Event:
    return requested(secrets, Message(to=f"{number % len(IDS)}@school.test", subject=str(number), text="Hello."))


STORIES: Final = (
    Story(
        plugin="users",
        needs=("auth", "mail"),
        event=_account,
        kinds=(RolesChanged, UserDisabled, UserEnabled, UserRegistered),
        kept="SELECT id, display_name, email_key, locale, active, active_version, roles_version, role "
        "FROM profiles JOIN profile_roles ON profile_id = id",
        rows=84,
    ),
    Story(
        plugin="courses",
        event=_name,
        kinds=(ProfileChanged,),
        kept="SELECT user_id, display_name FROM people",
        rows=50,
    ),
    Story(
        plugin="chat",
        event=_name,
        kinds=(ProfileChanged,),
        kept="SELECT user_id, display_name FROM people",
        rows=50,
    ),
    Story(
        plugin="enrollments",
        needs=("payments",),
        beside=(Shelf,),
        event=_course,
        kinds=(CourseChanged,),
        kept="SELECT id, title, status, version FROM courses",
        unfinished="SELECT 1 FROM errands",
        rows=40,
    ),
    Story(
        plugin="search",
        event=_course,
        kinds=(CourseChanged,),
        kept="SELECT kind, subject_id FROM changed",  # nobody is there to tell of courses, so the marks stay
        rows=50,
    ),
    Story(
        plugin="notifications",
        needs=("mail",),
        settings={"mail": {"delivery": "mailbox"}},
        event=_name,
        kinds=(ProfileChanged,),
        kept="SELECT user_id, display_name, locale FROM contacts",
        rows=50,
    ),
    Story(
        plugin="audit",
        event=_act,
        kinds=(ActRecorded,),
        kept="SELECT action, subject, actor, reason, after FROM acts",
        rows=COUNT,
    ),
    Story(
        plugin="mail",
        settings={"mail": {"delivery": "mailbox"}},
        event=_mail,
        kinds=(MailRequested,),
        kept="SELECT recipient, state, attempts FROM mails",
        rows=COUNT,
    ),
)
