"""What is long past goes; names and addresses can be asked for again."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from kernel.contracts.notifications import NotificationRequested
from kernel.database import Command, Query
from kernel.testing.deploying import Deploy
from plugins.notifications.keeping import Keeping
from plugins.notifications.rebuilding import Rebuilding
from plugins.notifications.tables import contacts, deliveries, parcels
from tests.plugins.notifications.loft import LoftPlugin
from tests.plugins.notifications.people import PATH, enrolled, mentioned, open_house, records, tray
from tests.plugins.notifications.test_channels import pigeons

PARCELS: Final = Query(sa.select(sa.func.count().label("count")).select_from(parcels), int)
#: As if the address had been heard wrongly.
MISTAKE: Final = Command(sa.update(contacts).values(email="nobody@example.org"))
DELIVERIES: Final = Query(sa.select(sa.func.count().label("count")).select_from(deliveries), int)


async def test_what_is_older_than_is_kept_is_removed(deploy: Deploy) -> None:
    """With the record of it, and what became of it."""
    house = await open_house(deploy, keep_days=30)
    client = await house.person()
    ctx = house.deployment.platform.context("notifications")
    await house.tell(enrolled(client.user, house.course()))
    await Keeping(ctx).tidy()
    assert len(await records(client)) == 2

    house.deployment.clock.advance(timedelta(days=31).total_seconds())
    await Keeping(ctx).tidy()

    assert await records(client) == []
    assert (await ctx.db.one(PARCELS), await ctx.db.one(DELIVERIES)) == (0, 0)


async def test_parcel_that_no_channel_takes_is_given_up_after_a_week(deploy: Deploy) -> None:
    """As where the plugin of the channel was switched off."""
    house = await open_house(deploy, LoftPlugin)
    client = await house.person()
    pigeons(house).storms = 10_000
    await house.tell(NotificationRequested(kind="landed", user_id=client.user, facts={"bird": "Bo"}))
    pigeons(house).name = "owl"

    house.deployment.clock.advance(timedelta(days=8).total_seconds())
    await Keeping(house.deployment.platform.context("notifications")).tidy()

    ways = {one["channel"]: one for one in (await records(client))[0]["ways"]}
    assert (ways["pigeon"]["result"], ways["pigeon"]["failure"]) == ("failed", "the channel was off for a week")


async def test_rebuild_asks_anew_for_names(deploy: Deploy) -> None:
    """Of courses that are called otherwise now; nothing else changes, and doing it again changes nothing."""
    house = await open_house(deploy, names=("auth",))
    client = await house.deployment.sign_in("ada@example.org")
    course = house.course("Knots")
    await house.tell(enrolled(client.user, course), mentioned(client.user, course, excerpt="Look"))
    ctx = house.deployment.platform.context("notifications")
    await ctx.db.run(MISTAKE)
    rebuilding = Rebuilding(house.deployment.platform.context("notifications"))
    unread = await client.call("GET", f"{PATH}/unread")
    house.rename(course, "Knots and sails")

    first, second = await rebuilding.rebuild(), await rebuilding.rebuild()

    assert (first.people, first.notices, first.changed, second.changed) == (1, 3, 3, 0)
    await house.tell(enrolled(client.user, course))
    assert await house.mails() == 5  # the code to sign in among them
    assert {one["title"] for one in await tray(client)} == {
        *("You are enrolled in Knots and sails", "Somebody mentioned you in Knots and sails", "Welcome to Lyceum"),
    }
    assert (await client.call("GET", f"{PATH}/unread"))["count"] == unread["count"] + 1
