"""How each of our plugins comes to know somebody, for the kit of `personal_data/1`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from kernel import Event, new_id
from kernel.contracts.audit import ActRecorded
from kernel.contracts.auth import UserRegistered
from kernel.contracts.courses import COURSES
from kernel.contracts.enrollments import ENROLLMENTS
from kernel.contracts.mail import MailRequested, Message, requested
from kernel.contracts.notifications import NOTIFICATIONS
from kernel.contracts.personal_data import PersonalData, Subject
from kernel.contracts.search import Teacher
from kernel.contracts.users import ProfileChanged
from kernel.testing import teller
from kernel.testing.choices import PluginClass
from kernel.testing.contracts.personal_data import Somebody, contributor_of
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.courses import InMemoryCoursesPlugin
from kernel.testing.fakes.enrollments import InMemoryEnrollmentsPlugin
from tests.plugins.search.library import Library, ShelfPlugin, book

API: Final = "/api/v1"
PATIENCE: Final = 10  # seconds
TOLD: Final[tuple[type[Event], ...]] = (ActRecorded, MailRequested, ProfileChanged, UserRegistered)

Meet = Callable[[Deployment, UUID, str], Awaitable[Somebody]]
_numbers: Final = itertools.count(1)


@dataclass(frozen=True)
class OurHarness:
    """Fulfils `PersonalDataHarness` for one of our plugins in a deployment."""

    deployment: Deployment
    plugin: str

    @property
    def personal_data(self) -> PersonalData:
        return contributor_of(self.deployment, self.plugin)

    async def somebody(self) -> Somebody:
        return await CONTRIBUTORS[self.plugin].meet(self.deployment, new_id(), f"person-{new_id()}")


@dataclass(frozen=True)
class Contributor:
    """A plugin of ours."""

    meet: Meet  #: given a new id and a word that is found nowhere else
    others: tuple[str, ...] = ()  #: that it needs
    fakes: tuple[PluginClass, ...] = ()


async def deploy_contributor(deploy: Deploy, plugin: str) -> OurHarness:
    """Deploy *plugin* with what it needs."""
    how = CONTRIBUTORS[plugin]
    classes: tuple[PluginClass, ...] = (teller.teller_of(*TOLD), *how.fakes)
    settings = {"mail": {"delivery": "mailbox"}} if plugin == "mail" else None
    return OurHarness(await deploy(plugin, *how.others, plugins=classes, settings=settings), plugin)


async def administered(deployment: Deployment, user: UUID, word: str) -> Somebody:
    subject = f"account:{user}"
    await teller.tell(deployment, ActRecorded(action="auth.disable", subject=subject, actor=new_id(), reason=word))
    return _somebody(user, word)


async def talking(deployment: Deployment, user: UUID, word: str) -> Somebody:
    courses: Any = deployment.platform.services.get(COURSES)
    enrollments: Any = deployment.platform.services.get(ENROLLMENTS)
    await teller.tell(deployment, ProfileChanged(user_id=user, display_name=word, locale="en", time_zone="UTC"))
    await deployment.settle()
    client, course = deployment.client("student", user=user), courses.add(0)
    enrollments.enrol(user, course)
    room = await client.call("POST", f"{API}/chat/courses/{course}/room")
    path, text, reason = f"{API}/chat/rooms/{room['id']}/messages", f"I am {word}", f"Report of {word}"
    await client.call("POST", path, {"client_id": "x", "text": text})
    await client.call("POST", f"{path}/1/reports", {"reason": reason})
    await client.call("PUT", f"{path}/1/reactions/👍")
    return _somebody(user, word, text, reason, room["id"], erased=(word, text, reason, "👍"))


async def signed_in(deployment: Deployment, user: UUID, word: str) -> Somebody:
    email = f"{word}@example.org"
    client = await deployment.sign_in(email)
    assert client.user is not None
    return Somebody(subject=Subject(user_id=client.user, email=email), shown=(email, str(client.user)), erased=(email,))


async def teaching(deployment: Deployment, user: UUID, word: str) -> Somebody:
    changed = ProfileChanged(user_id=user, display_name=word, locale="en", time_zone="UTC")
    await teller.tell(deployment, changed)
    title = f"A course {new_id()}"
    course = {"title": title, "summary": "", "description": "", "category": "sports", "price": 1900}
    await deployment.client("instructor", user=user).call("POST", f"{API}/courses", course, expect=201)
    await deployment.settle()
    return _somebody(user, word, title, erased=(word,))


async def enrolled(deployment: Deployment, user: UUID, word: str) -> Somebody:
    courses: Any = deployment.platform.services.get(COURSES)
    grant = {"user_id": str(user), "course_id": str(courses.add(1900)), "reason": word}
    await deployment.client("admin").call("POST", f"{API}/enrollments/grants", grant, expect=201)
    return _somebody(user, word, grant["course_id"], erased=(word,))


async def found(deployment: Deployment, user: UUID, word: str) -> Somebody:
    library = Library(deployment)
    taught = book("Sailing", instructors=(Teacher(id=user, name=word),))
    await library.put(taught)
    del library.shelf.books[taught.id]  # as one does that has erased it too
    return _somebody(user, word, erased=(word,))


async def written_to(deployment: Deployment, user: UUID, word: str) -> Somebody:
    message = Message(to=f"{word}@example.org", subject=word, text="Good morning.")
    await teller.tell(deployment, requested(deployment.platform.context(teller.NAME).secrets, message))
    return _somebody(user, word, erased=(word,))


async def told(deployment: Deployment, user: UUID, word: str) -> Somebody:
    email = f"{word}@example.org"
    event = UserRegistered(user_id=user, email=email, display_name=word, locale="en", roles=("student",))
    await teller.tell(deployment, event)
    notifications = deployment.platform.services.get(NOTIFICATIONS)
    async with asyncio.timeout(PATIENCE):
        while not await notifications.unread(user):  # noqa: ASYNC110  # it sets no Event of ours
            await asyncio.sleep(0.02)
    return _somebody(user, email, word, erased=(word,))


async def topped_up(deployment: Deployment, user: UUID, word: str) -> Somebody:
    amount = 770_000 + next(_numbers)
    body = {"credit": "refundable", "amount": amount, "reason": word}
    path = f"{API}/payments/wallets/{user}/adjustments"
    headers = {"Idempotency-Key": word}
    await deployment.client("admin").call("POST", path, body, expect=201, headers=headers)
    return _somebody(user, str(amount))


async def exported(deployment: Deployment, user: UUID, word: str) -> Somebody:
    email = f"{word}@example.org"
    client = await deployment.sign_in(email)
    assert client.user is not None
    export = await client.call("POST", f"{API}/privacy/exports")
    path = f"{API}/privacy/exports/{export['id']}"
    async with asyncio.timeout(PATIENCE):
        while (await client.call("GET", path))["state"] != "ready":  # noqa: ASYNC110  # it sets no Event of ours
            await asyncio.sleep(0.02)
    subject = Subject(user_id=client.user, email=email)
    return Somebody(subject=subject, shown=(export["id"],), erased=(export["id"],))


async def registered(deployment: Deployment, user: UUID, word: str) -> Somebody:
    email = f"{word}@example.org"
    told = UserRegistered(user_id=user, email=email, display_name=word, locale="en", roles=("student",))
    await teller.tell(deployment, told)
    headline = {"headline": f"Headline of {word}"}
    await deployment.client("student", user=user).call("PATCH", f"{API}/users/me", headline)
    return _somebody(user, email, word, headline["headline"], erased=(word,))


def _somebody(user: UUID, word: str, *more: str, erased: tuple[str, ...] = ()) -> Somebody:
    email = word if "@" in word else f"{word}@example.org"
    return Somebody(subject=Subject(user_id=user, email=email), shown=(word, *more), erased=erased)


CONTRIBUTORS: Final[Mapping[str, Contributor]] = {
    "audit": Contributor(administered),
    "auth": Contributor(signed_in, ("mail",)),
    "chat": Contributor(talking, (), (InMemoryCoursesPlugin, InMemoryEnrollmentsPlugin)),
    "courses": Contributor(teaching),
    "enrollments": Contributor(enrolled, ("payments",), (InMemoryCoursesPlugin,)),
    "mail": Contributor(written_to),
    "notifications": Contributor(told, ("mail",)),
    "payments": Contributor(topped_up, (), (InMemoryCoursesPlugin,)),
    "privacy": Contributor(exported, ("auth", "mail")),
    "search": Contributor(found, (), (ShelfPlugin,)),
    "users": Contributor(registered),
}
