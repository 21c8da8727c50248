"""The kits of `notifications/1`, of kinds and of channels: who is told, of what, and that it is carried once."""

from __future__ import annotations

import asyncio
import contextlib
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Protocol
from uuid import UUID

import msgspec

from kernel import Context, Event, Manifest, Plugin, Provide, hookimpl, new_id
from kernel.contracts.auth import UserRegistered
from kernel.contracts.notifications import (
    NOTIFICATION_KINDS,
    NOTIFICATIONS,
    Item,
    Name,
    Notification,
    NotificationChannel,
    NotificationKind,
    NotificationKinds,
    NotificationRequested,
    Notifications,
    Recipient,
    Words,
)
from kernel.testing import teller
from kernel.testing.choices import PluginClass, Tables
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment

PATIENCE: Final = 30.0  # seconds that a channel may take
PAUSE: Final = 0.5  # seconds in which a provider tells what it has heard
KIND: Final = "kit-news"
MANY: Final = 101  # unread ones, after which nobody counts
_RESERVED: Final = ("mail", "tray")
_name: Final = msgspec.json.Decoder(Name).decode


class NotificationsHarness(Protocol):
    """What the kit needs beside the provider itself."""

    @property
    def notifications(self) -> Notifications:
        """The provider."""
        ...

    @property
    def kind(self) -> str:
        """The name of a kind that a plugin contributes, which needs no facts."""
        ...

    async def person(self) -> UUID:
        """Return somebody who can be reached."""
        ...

    async def tell(self, *events: NotificationRequested) -> None:
        """Publish *events*, and return when everybody was told."""
        ...


class NotificationsContract:
    """Supply the fixture `harness`: `deploy_notifications(deploy, "your-plugin")`, or one of your own."""

    async def test_one_person_is_told(self, harness: NotificationsHarness) -> None:
        """Nobody else is."""
        ada, bo = await harness.person(), await harness.person()

        news = await _news(harness, (ada, bo), *(_to(harness, ada) for _ in range(2)))

        assert news == [2, 0]

    async def test_followers_are_told(self, harness: NotificationsHarness) -> None:
        """Of what they follow and nothing else, however often they said that they follow it."""
        ada, bo, topic = await harness.person(), await harness.person(), _topic()
        for _ in range(2):
            await harness.notifications.follow(ada, topic)
        await harness.notifications.follow(bo, _topic())

        news = await _news(harness, (ada, bo), NotificationRequested(kind=harness.kind, topic=topic))

        assert news == [1, 0]

    async def test_who_follows_no_more_is_told_no_more(self, harness: NotificationsHarness) -> None:
        """Leaving twice, or what one does not follow, is no error."""
        ada, topic = await harness.person(), _topic()
        await harness.notifications.follow(ada, topic)
        assert await harness.notifications.follows(ada, topic)
        for _ in range(2):
            await harness.notifications.unfollow(ada, topic)

        news = await _news(harness, (ada,), NotificationRequested(kind=harness.kind, topic=topic))

        assert not await harness.notifications.follows(ada, topic)
        assert news == [0]

    async def test_who_wrote_it_is_not_told(self, harness: NotificationsHarness) -> None:
        """Neither as one of those who follow, nor alone."""
        ada, topic = await harness.person(), _topic()
        await harness.notifications.follow(ada, topic)

        by_topic = NotificationRequested(kind=harness.kind, topic=topic, author=ada)
        alone = NotificationRequested(kind=harness.kind, user_id=ada, author=ada)

        assert await _news(harness, (ada,), by_topic, alone) == [0]

    async def test_what_nobody_has_declared_is_not_told(self, harness: NotificationsHarness) -> None:
        """Nobody could say what it means."""
        ada = await harness.person()

        assert await _news(harness, (ada,), NotificationRequested(kind="nobody-knows", user_id=ada)) == [0]

    async def test_nobody_counts_beyond_a_hundred(self, harness: NotificationsHarness) -> None:
        """It says that there are more."""
        ada = await harness.person()

        await harness.tell(*(_to(harness, ada) for _ in range(MANY + 4)))

        assert await harness.notifications.unread(ada) == MANY


class _Told:
    """Contributes one kind."""

    def kinds(self) -> Sequence[NotificationKind]:
        words = {"en": Words(label="News of the kit", title="There is news", text="It is good.")}
        return (NotificationKind(name=KIND, path="/", words=words),)


class _KindPlugin(Plugin):
    """Brings the kind of the kit."""

    manifest: ClassVar[Manifest] = Manifest(name="test-kinds", version="1", provides=(NOTIFICATION_KINDS,))

    @hookimpl
    def services(self, ctx: Context[Any]) -> Iterable[Provide[object]]:
        yield Provide(NOTIFICATION_KINDS, lambda: contextlib.nullcontext(_Told()))


@dataclass(frozen=True)
class DeployedNotifications:
    """Fulfils `NotificationsHarness` by a provider that runs in a deployment."""

    deployment: Deployment
    kind: str = KIND

    @property
    def notifications(self) -> Notifications:
        return self.deployment.platform.services.get(NOTIFICATIONS)

    async def person(self) -> UUID:
        person = new_id()
        arrived = UserRegistered(
            user_id=person, email=f"{person}@example.org", display_name="", locale="en", roles=("student",)
        )
        await self.tell(arrived)
        return person

    async def tell(self, *events: Event) -> None:
        await teller.tell(self.deployment, *events)
        await asyncio.sleep(PAUSE)
        await self.deployment.settle()


async def deploy_notifications(
    deploy: Deploy, *names: str, plugins: Sequence[PluginClass] = (), settings: Tables | None = None
) -> DeployedNotifications:
    """Deploy a provider, by name or by its class; *settings* are those of plugins by name."""
    others = (teller.teller_of(NotificationRequested, UserRegistered), _KindPlugin)
    return DeployedNotifications(await deploy(*names, plugins=(*plugins, *others), settings=settings))


class NotificationKindsHarness(Protocol):
    """What the kit needs beside the contribution itself."""

    @property
    def kinds(self) -> NotificationKinds:
        """The contribution."""
        ...


class NotificationKindsContract:
    """Supply the fixture `harness`: a `NotificationKindsHarness`."""

    def test_kinds_have_names_of_their_own(self, harness: NotificationKindsHarness) -> None:
        """Of small letters, digits and hyphens; the same ones each time."""
        names = [kind.name for kind in harness.kinds.kinds()]

        assert names
        assert len(set(names)) == len(names)
        assert [_name(msgspec.json.encode(name)) for name in names] == names
        assert [kind.name for kind in harness.kinds.kinds()] == names

    def test_kinds_lead_somewhere_in_the_deployment(self, harness: NotificationKindsHarness) -> None:
        """Their path begins at its root."""
        assert all(kind.path.startswith("/") and not kind.path.startswith("//") for kind in harness.kinds.kinds())

    def test_kinds_have_words_in_english_at_least(self, harness: NotificationKindsHarness) -> None:
        """In whichever language, none of them is empty and a title is one line."""
        for kind in harness.kinds.kinds():
            assert "en" in kind.words, kind.name
            for words in kind.words.values():
                assert all(text.strip() for text in (words.label, words.title, words.text)), kind.name
                assert "\n" not in words.title, kind.name

    def test_kinds_say_the_same_in_every_language(self, harness: NotificationKindsHarness) -> None:
        """They name the same facts, by plain names."""
        for kind in harness.kinds.kinds():
            named = {language: _named(words.title + words.text) for language, words in kind.words.items()}
            assert all(found == named["en"] for found in named.values()), (kind.name, named)
            facts = named["en"] | _named(kind.fold) | _named(kind.path)
            assert all(fact.isidentifier() for fact in facts), kind.name


class NotificationChannelHarness(Protocol):
    """What the kit needs beside the channel itself."""

    @property
    def channel(self) -> NotificationChannel:
        """The channel."""
        ...

    async def recipient(self) -> Recipient:
        """Return somebody whom the channel reaches."""
        ...

    async def arrived(self, recipient: Recipient) -> Sequence[str]:
        """Return what has reached *recipient*: something that holds the title of each, in the order of arrival."""
        ...


class NotificationChannelContract:
    """Supply the fixture `harness`: a `NotificationChannelHarness`."""

    def test_channel_has_a_name_of_its_own(self, harness: NotificationChannelHarness) -> None:
        """And is called something in English at least."""
        assert _name(msgspec.json.encode(harness.channel.name)) not in _RESERVED
        assert harness.channel.labels["en"].strip()

    async def test_what_is_given_arrives_in_time(self, harness: NotificationChannelHarness) -> None:
        """At its recipient, and at nobody else."""
        ada, bo = await harness.recipient(), await harness.recipient()

        async with asyncio.timeout(PATIENCE):
            await harness.channel.deliver(notification(ada, "Knots"))

        (found,) = await harness.arrived(ada)
        assert "Knots" in found
        assert await harness.arrived(bo) == []

    async def test_same_key_is_carried_once(self, harness: NotificationChannelHarness) -> None:
        """Whoever gives it breaks off at times, and gives it again."""
        ada = await harness.recipient()
        given = notification(ada, "Knots")

        for _ in range(3):
            await harness.channel.deliver(given)
        await harness.channel.deliver(notification(ada, "Sails"))

        assert len(await harness.arrived(ada)) == 2

    async def test_several_things_come_as_one(self, harness: NotificationChannelHarness) -> None:
        """As in a digest, whatever they say."""
        ada = await harness.recipient()

        await harness.channel.deliver(notification(ada, "News", "Knots", "<b>Sails</b> %s {}", "نجوم"))

        assert len(await harness.arrived(ada)) == 1


def notification(recipient: Recipient, title: str, *items: str) -> Notification:
    """Return something to be carried, with as many *items* as are named, or one."""
    now = datetime.now(UTC)
    told = tuple(
        Item(kind="kit", title=one, text=one, link="https://lyceum.test/", at=now) for one in (items or (title,))
    )
    unsubscribe = "https://lyceum.test/unsubscribe"
    return Notification(key=new_id(), recipient=recipient, title=title, items=told, unsubscribe=unsubscribe)


def _to(harness: NotificationsHarness, person: UUID) -> NotificationRequested:
    return NotificationRequested(kind=harness.kind, user_id=person)


async def _news(harness: NotificationsHarness, people: Sequence[UUID], *events: NotificationRequested) -> list[int]:
    """Return how much more each of *people* has not read after *events*."""
    before = [await harness.notifications.unread(one) for one in people]
    await harness.tell(*events)
    return [await harness.notifications.unread(one) - had for one, had in zip(people, before, strict=True)]


def _topic() -> str:
    return f"kit:{new_id()}"


def _named(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
