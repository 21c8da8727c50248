"""`notifications/1`, kinds and channels: kept by ours and by the fake, and by none that breaks a promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio

from kernel import new_id
from kernel.contracts.notifications import Notification, NotificationKind, NotificationRequested, Recipient, Words
from kernel.testing.contracts.notifications import (
    DeployedNotifications,
    NotificationChannelContract,
    NotificationChannelHarness,
    NotificationKindsContract,
    NotificationsContract,
    NotificationsHarness,
    deploy_notifications,
)
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.notifications import InMemoryNotifications, InMemoryNotificationsPlugin
from plugins.notifications.kinds import OURS
from tests.contracts.broken import Test, assert_found
from tests.plugins.notifications.loft import KINDS, Pigeons

KIT: Final = NotificationsContract()
OF_KINDS: Final = NotificationKindsContract()
OF_CHANNELS: Final = NotificationChannelContract()


class TestOurs(NotificationsContract):
    """The plugin."""

    @pytest_asyncio.fixture
    async def harness(self, deploy: Deploy) -> DeployedNotifications:
        settings = {"notifications": {"look_every": 0.1}}
        return await deploy_notifications(deploy, "notifications", "mail", settings=settings)


@pytest.mark.sqlite_only
class TestTheFake(NotificationsContract):
    """From memory."""

    @pytest_asyncio.fixture
    async def harness(self, deploy: Deploy) -> DeployedNotifications:
        return await deploy_notifications(deploy, plugins=[InMemoryNotificationsPlugin])


class TellsEverybody(InMemoryNotifications):
    async def unread(self, user_id: UUID) -> int:
        return sum(map(len, self.told.values()))


class ForgetsFollowers(InMemoryNotifications):
    async def follow(self, user_id: UUID, topic: str) -> None:
        pass


class NeverLetsGo(InMemoryNotifications):
    async def unfollow(self, user_id: UUID, topic: str) -> None:
        pass


class TellsAuthors(InMemoryNotifications):
    def tell(self, event_id: UUID, event: NotificationRequested) -> None:
        super().tell(event_id, msgspec.structs.replace(event, author=None))


class TellsWhatNobodyKnows(InMemoryNotifications):
    def _kinds(self) -> set[str]:
        return {*super()._kinds(), "nobody-knows"}


class CountsForEver(InMemoryNotifications):
    async def unread(self, user_id: UUID) -> int:
        return len(self.told[user_id])


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("provider", "test"),
    [
        (TellsEverybody, KIT.test_one_person_is_told),
        (ForgetsFollowers, KIT.test_followers_are_told),
        (NeverLetsGo, KIT.test_who_follows_no_more_is_told_no_more),
        (TellsAuthors, KIT.test_who_wrote_it_is_not_told),
        (TellsWhatNobodyKnows, KIT.test_what_nobody_has_declared_is_not_told),
        (CountsForEver, KIT.test_nobody_counts_beyond_a_hundred),
    ],
)
async def test_kit_finds_what_a_provider_breaks(
    deploy: Deploy, provider: type[InMemoryNotifications], test: Test[NotificationsHarness]
) -> None:
    """Each of these breaks one promise."""

    class BrokenPlugin(InMemoryNotificationsPlugin):
        kind = provider

    whole = await deploy_notifications(deploy, plugins=[InMemoryNotificationsPlugin])
    broken = await deploy_notifications(deploy, plugins=[BrokenPlugin])
    await assert_found(test, whole=whole, broken=broken)


@dataclass
class Told:
    """Contributes what it is given."""

    given: Sequence[NotificationKind]

    def kinds(self) -> Sequence[NotificationKind]:
        return self.given


@dataclass
class KindsHarness:
    """Fulfils `NotificationKindsHarness`."""

    kinds: Told


class TestOurKinds(NotificationKindsContract):
    """All of the plugin's own."""

    @pytest.fixture
    def harness(self) -> KindsHarness:
        return KindsHarness(Told(OURS))


def changed(**facts: Any) -> KindsHarness:
    return KindsHarness(Told((msgspec.structs.replace(KINDS[0], **facts),)))


def words(**facts: str) -> dict[str, Words]:
    english = KINDS[0].words["en"]
    return {"en": english, "de": msgspec.structs.replace(english, **facts)}


@pytest.mark.parametrize(
    ("harness", "test"),
    [
        (changed(name="No Name"), OF_KINDS.test_kinds_have_names_of_their_own),
        (KindsHarness(Told(KINDS[:1] * 2)), OF_KINDS.test_kinds_have_names_of_their_own),
        (changed(path="https://elsewhere.example"), OF_KINDS.test_kinds_lead_somewhere_in_the_deployment),
        (changed(path="//elsewhere.example"), OF_KINDS.test_kinds_lead_somewhere_in_the_deployment),
        (changed(words={"de": KINDS[0].words["en"]}), OF_KINDS.test_kinds_have_words_in_english_at_least),
        (changed(words=words(label=" ")), OF_KINDS.test_kinds_have_words_in_english_at_least),
        (changed(words=words(title="Vogel")), OF_KINDS.test_kinds_say_the_same_in_every_language),
        (changed(fold="{0}"), OF_KINDS.test_kinds_say_the_same_in_every_language),
    ],
)
def test_kit_finds_what_kinds_break(harness: KindsHarness, test: Any) -> None:
    """Each of these breaks one promise."""
    test(KindsHarness(Told(KINDS[:1])))

    with pytest.raises((AssertionError, msgspec.ValidationError)):
        test(harness)


@dataclass
class Flock:
    """Fulfils `NotificationChannelHarness`."""

    channel: Pigeons = field(default_factory=Pigeons)

    async def recipient(self) -> Recipient:
        return Recipient(user_id=new_id(), email="ada@example.org", display_name="Ada", locale="en")

    async def arrived(self, recipient: Recipient) -> Sequence[str]:
        return [one.title for one in self.channel.carried if one.recipient == recipient]


class TestPigeons(NotificationChannelContract):
    """The channel of the tests."""

    @pytest.fixture
    def harness(self) -> Flock:
        return Flock()


class CarriesTwice(Pigeons):
    async def deliver(self, notification: Notification) -> None:
        self.carried.append(notification)


class CarriesEachThing(Pigeons):
    async def deliver(self, notification: Notification) -> None:
        for item in notification.items:
            key = UUID(int=notification.key.int ^ hash(item.title) % 2**60)
            await super().deliver(msgspec.structs.replace(notification, key=key))


class Loses(Pigeons):
    async def deliver(self, notification: Notification) -> None:
        pass


@pytest.mark.parametrize(
    ("channel", "test"),
    [
        (Loses, OF_CHANNELS.test_what_is_given_arrives_in_time),
        (CarriesTwice, OF_CHANNELS.test_same_key_is_carried_once),
        (CarriesEachThing, OF_CHANNELS.test_several_things_come_as_one),
    ],
)
async def test_kit_finds_what_a_channel_breaks(channel: type[Pigeons], test: Test[NotificationChannelHarness]) -> None:
    """Each of these breaks one promise."""
    await assert_found(test, whole=Flock(), broken=Flock(channel()))


def test_channel_called_like_one_of_ours_is_found() -> None:
    """It would never be asked."""
    with pytest.raises(AssertionError):
        OF_CHANNELS.test_channel_has_a_name_of_its_own(Flock(Pigeons(name="mail")))
