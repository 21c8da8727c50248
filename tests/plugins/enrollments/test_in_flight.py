"""Money in flight: who sees purchases that take too long."""

from __future__ import annotations

import msgspec
from structlog.testing import capture_logs

from kernel.testing.deploying import Deploy
from plugins.enrollments.in_flight import MoneyInFlight
from tests.plugins.enrollments.shop import PRICE, PURCHASES, Shop, buy, open_shop
from tests.plugins.enrollments.test_faults import die, open_faulty

STATE = {"state": "pending"}


async def stuck(deploy: Deploy, number: int = 1) -> Shop:
    """Return a shop with purchases that died before they were charged, a minute after each other."""
    shop, faulty = await open_faulty(deploy)
    faulty.before_charge = die
    for _ in range(number):
        await buy(await shop.student(PRICE), shop.course(), expect=500)
        shop.deployment.clock.advance(60)
    return shop


async def watch(shop: Shop) -> list[str]:
    """Let the watch look twice; return the purchases that it remarks on."""
    with capture_logs() as logs:
        for _ in range(2):
            await MoneyInFlight(shop.deployment.platform.context("enrollments")).watch()
    return [
        line["purchase"] for line in logs if (line["log_level"], line.get("action")) == ("error", "money_in_flight")
    ]


async def test_what_is_pending_is_listed_with_its_age(deploy: Deploy) -> None:
    """The oldest first, page by page, and whether it is overdue."""
    shop = await stuck(deploy, 3)

    first = await shop.admin.call("GET", PURCHASES, params={**STATE, "limit": 2})
    rest = await shop.admin.call("GET", PURCHASES, params={**STATE, "limit": 2, "cursor": first["next"]})

    found = first["items"] + rest["items"]
    assert [round(one["age"] / 60) for one in found] == [3, 2, 1]
    assert {one["overdue"] for one in found} == {True}
    assert {(one["amount"], one["currency"]) for one in found} == {(PRICE, "EUR")}
    assert rest["next"] is None


async def test_only_what_is_pending_can_be_listed(deploy: Deploy) -> None:
    """And only by those who manage enrolments."""
    shop = await open_shop(deploy)
    student = await shop.student(PRICE)
    await buy(student, shop.course())

    assert (await shop.admin.call("GET", PURCHASES, params=STATE))["items"] == []
    await student.call("GET", PURCHASES, params=STATE, expect=403)
    await shop.admin.call("GET", PURCHASES, expect=422)
    await shop.admin.call("GET", PURCHASES, params={"state": "completed"}, expect=422)


async def test_what_is_overdue_is_logged_once(deploy: Deploy) -> None:
    """However often somebody looks."""
    shop = await stuck(deploy, 2)
    listed = (await shop.admin.call("GET", PURCHASES, params=STATE))["items"]

    remarked = await watch(shop)

    assert sorted(remarked) == sorted(one["id"] for one in listed)
    assert await watch(shop) == []


async def test_what_takes_its_time_is_not_overdue(deploy: Deploy) -> None:
    """Before `alarm_after` nobody is alarmed."""
    shop, faulty = await open_faulty(deploy)
    faulty.before_charge = die
    await buy(await shop.student(PRICE), shop.course(), expect=500)
    shop.deployment.clock.advance(50)

    assert await watch(shop) == []
    assert not (await shop.admin.call("GET", PURCHASES, params=STATE))["items"][0]["overdue"]
    shop.deployment.clock.advance(15)
    assert len(await watch(shop)) == 1


async def test_the_command_fails_while_something_is_overdue(deploy: Deploy) -> None:
    """So that a watchdog can call it."""
    shop = await stuck(deploy)
    listed = (await shop.admin.call("GET", PURCHASES, params=STATE))["items"]

    overdue = await shop.deployment.command("enrollments", "in-flight", json=True)
    await shop.sweep()
    settled = await shop.deployment.command("enrollments", "in-flight")

    (row,) = msgspec.json.decode(overdue.output)
    assert (overdue.exit_code, row["purchase"], row["overdue"]) == (1, listed[0]["id"], True)
    assert (settled.exit_code, settled.output) == (0, "nothing in flight\n")


async def test_operators_see_number_and_age(deploy: Deploy) -> None:
    """At `/metrics`, as of the last look."""
    shop = await stuck(deploy, 2)
    await watch(shop)
    platform = shop.deployment.platform
    seen = {name: values["enrollments"] for name, _, values in platform.gauges}

    assert seen["purchases_in_flight"] == 2
    assert 119 < seen["purchases_in_flight_seconds"] < 150
    await shop.sweep()
    await watch(shop)
    seen = {name: values["enrollments"] for name, _, values in platform.gauges}
    assert seen == {"purchases_in_flight": 0, "purchases_in_flight_seconds": 0}
