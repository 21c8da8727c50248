"""Plugins bring kinds and channels of their own; each parcel is carried once, and what cannot be is told why."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from kernel.contracts.notifications import NOTIFICATION_CHANNEL, NotificationRequested
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.failing import Failing
from plugins.notifications.sending import ATTEMPTS, Sending
from tests.plugins.notifications.loft import LoftPlugin, Pigeons
from tests.plugins.notifications.people import PATH, House, enrolled, open_house, records, tray


def pigeons(house: House) -> Pigeons:
    (found,) = house.deployment.platform.services.all(NOTIFICATION_CHANNEL)
    assert isinstance(found, Pigeons)
    return found


def landed(client: Client, bird: str = "Bo") -> NotificationRequested:
    return NotificationRequested(kind="landed", user_id=client.user, facts={"bird": bird})


async def way(client: Client, channel: str = "pigeon") -> dict[str, str]:
    ways = (await records(client))[0]["ways"]
    return dict(next(one for one in ways if one["channel"] == channel))


async def test_kind_of_a_plugin_is_told_like_ours(deploy: Deploy) -> None:
    """In the tray, by mail and by the plugin's channel; and people may choose."""
    house = await open_house(deploy, LoftPlugin)
    client = await house.person()
    pigeons(house).carried.clear()

    await house.tell(landed(client))

    (notice, _) = await tray(client)
    assert (notice["title"], notice["path"]) == ("Bo has landed", "/pigeons/Bo")
    assert (await house.mail()).subject == "Bo has landed"
    (carried,) = pigeons(house).carried
    assert (carried.title, carried.recipient.email) == ("Bo has landed", "ada@example.org")
    assert carried.items[0].link == f"{house.deployment.url}/pigeons/Bo"
    found = {one["kind"]: one for one in await client.call("GET", f"{PATH}/preferences")}
    assert found["landed"]["label"] == "Pigeons: landed"
    assert set(found["landed"]["channels"]) == {"tray", "mail", "pigeon"}
    assert found["weekly-count"]["channels"]["pigeon"] == {"frequency": "weekly", "because": "default"}
    assert found["welcome"]["label"] == "Welcome"


async def test_channel_that_fails_is_tried_again_with_the_same_key(deploy: Deploy) -> None:
    """Until it takes the parcel; the mail does not wait for it."""
    house = await open_house(deploy, LoftPlugin)
    client = await house.person()
    birds = pigeons(house)
    birds.storms, before = 2, len(birds.carried)
    birds.tried.clear()

    await house.tell(landed(client))
    assert (await way(client))["failure"] == "ConnectionError: a storm"
    assert (await house.mail()).subject == "Bo has landed"
    for _ in range(3):
        await house.at(house.deployment.clock.now() + timedelta(minutes=5))

    assert len(birds.carried) == before + 1
    assert len(birds.tried) == 3
    assert len(set(birds.tried)) == 1
    assert (await way(client))["result"] == "sent"


async def test_channel_that_never_takes_it_is_given_up(deploy: Deploy) -> None:
    """After some hours; the record says why."""
    house = await open_house(deploy, LoftPlugin)
    client = await house.person()
    pigeons(house).storms = 10_000
    await house.tell(landed(client))

    for _ in range(ATTEMPTS):
        await house.at(house.deployment.clock.now() + timedelta(hours=7))

    found = await way(client)
    assert (found["result"], found["failure"]) == ("failed", "ConnectionError: a storm")


async def test_who_can_not_be_reached_is_not_tried_again(deploy: Deploy) -> None:
    """The channel has said so."""
    house = await open_house(deploy, LoftPlugin)
    client = await house.person()
    assert client.user is not None
    birds = pigeons(house)
    birds.nowhere.add(client.user)
    birds.tried.clear()

    await house.tell(landed(client))
    await house.at(house.deployment.clock.now() + timedelta(days=1))

    assert len(birds.tried) == 1
    assert ((await way(client))["result"], (await way(client))["failure"]) == ("unreachable", "no roof")


async def test_each_parcel_is_carried_once(deploy: Deploy, failing: Failing) -> None:
    """Though several are at it, and one breaks off with the mails asked for but not committed."""
    house = await open_house(deploy, LoftPlugin)
    client = await house.person()
    before = len(pigeons(house).carried)
    failing.arm("plugins.notifications.sending.CLOSED", "raise|once")

    await house.tell(*(landed(client, f"B{number}") for number in range(10)))
    sending = house.deployment.platform.context("notifications").own(Sending)
    await asyncio.gather(*(sending.send() for _ in range(4)))

    assert await house.mails() == 11
    carried = [one.title for one in pigeons(house).carried[before:]]
    assert sorted(carried) == sorted(f"B{number} has landed" for number in range(10))


async def test_who_unsubscribes_before_it_goes_does_not_get_it(deploy: Deploy) -> None:
    """Though it was on its way."""
    house = await open_house(deploy, LoftPlugin)
    client = await house.person()
    await client.call("PUT", f"{PATH}/preferences/enrolled/mail", {"frequency": "daily"})
    await house.tell(enrolled(client.user, house.course()))

    await client.call("PUT", f"{PATH}/preferences/enrolled/mail", {"frequency": "never"})
    await house.at(house.deployment.clock.now() + timedelta(days=2))

    assert await house.mails() == 1
    assert (await way(client, "mail"))["result"] == "empty"
