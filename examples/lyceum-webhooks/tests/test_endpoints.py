"""Endpoints: registered, changed, given new secrets, and never asked for what they do not know."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from house import Closed, House
from lyceum_webhooks.settings import WebhooksSettings
from receiving import verified


async def test_secret_is_shown_once_and_stored_sealed(house: House) -> None:
    """A copy of the database signs nothing."""
    endpoint, secret = await house.add()

    shown = await house.endpoint(endpoint)
    listed = await house.call("GET", "/endpoints")

    assert secret not in f"{shown} {listed}"
    assert [one["id"] for one in listed["items"]] == [endpoint]
    ctx = house.deployment.platform.context("webhooks")
    async with ctx.db.engine().connect() as connection:
        stored = (await connection.exec_driver_sql("SELECT secret FROM endpoints")).scalar()
        answers = (await connection.exec_driver_sql("SELECT count(*) FROM idempotency")).scalar()
    assert secret.removeprefix("whsec_") not in str(stored)
    assert ctx.secrets.unseal(str(stored)).decode() == secret
    assert answers == 0


async def test_former_secret_signs_for_a_time_beside_the_new_one(house: House) -> None:
    """So that the receiver can change over without losing anything."""
    endpoint, former = await house.add()

    rotated = await house.call("POST", f"/endpoints/{endpoint}/secret")
    await house.sell()
    [during] = await house.receiver.got(1)
    house.deployment.clock.advance(24 * 3600 + 1)
    await house.sell()
    after = (await house.receiver.got(2))[1]

    assert len(during.signatures) == 2
    assert verified(during, former)
    assert verified(during, rotated["secret"])
    assert len(after.signatures) == 1
    assert not verified(after, former)
    assert verified(after, rotated["secret"])


async def test_endpoint_can_be_changed(house: House) -> None:
    """What waits goes to the new URL; what is left out stays."""
    house.receiver.answers(500, 204)
    endpoint, secret = await house.add("shop.closed.v1")
    await house.publish(Closed(day="monday"))
    await house.until(endpoint, "waiting")

    change = {"url": f"{house.receiver.url}/new", "description": "the new one"}
    changed = await house.call("PATCH", f"/endpoints/{endpoint}", change)
    house.deployment.clock.advance(10)
    await house.until(endpoint, "delivered")

    assert (changed["event_types"], changed["description"]) == (["shop.closed.v1"], "the new one")
    assert house.receiver.requests[-1].path == "/hook/new"
    assert verified(house.receiver.requests[-1], secret)


async def test_disabled_endpoint_is_told_of_nothing(house: House) -> None:
    """Nor afterwards of what happened meanwhile."""
    endpoint, _ = await house.add()
    await house.call("POST", f"/endpoints/{endpoint}/disable", {"reason": "it moves house"})
    await house.sell(1)
    await house.call("POST", f"/endpoints/{endpoint}/enable")
    await house.sell(2)

    await house.receiver.got(1)
    await asyncio.sleep(0.2)

    assert [request.event["data"]["number"] for request in house.receiver.requests] == [2]


async def test_deleted_endpoint_leaves_nothing(house: House) -> None:
    """Its deliveries go with it, those that wait too."""
    house.receiver.answers(500)
    endpoint, _ = await house.add()
    await house.sell()
    found = await house.until(endpoint, "waiting")

    await house.call("DELETE", f"/endpoints/{endpoint}", expect=204)
    house.deployment.clock.advance(100)
    await house.sell()
    await asyncio.sleep(0.2)

    assert len(house.receiver.requests) == 1
    await house.call("GET", f"/endpoints/{endpoint}", expect=404)
    await house.call("GET", f"/deliveries/{found['id']}", expect=404)


async def test_whatever_is_done_is_recorded_without_secrets(house: House) -> None:
    """Each act once, and none where nothing changed."""
    everything, _ = await house.add("audit.*")
    endpoint, secret = await house.add(url=f"{house.receiver.url}?key=topsecret")
    path = f"/endpoints/{endpoint}"
    await house.call("PATCH", path, {"description": "new"})
    await house.call("PATCH", path, {"description": "new"})
    rotated = await house.call("POST", f"{path}/secret")
    await house.call("POST", f"{path}/disable", {})
    await house.call("POST", f"{path}/disable", {})
    await house.call("POST", f"{path}/enable")
    await house.call("POST", f"{path}/enable")
    await house.call("DELETE", path)
    await house.deployment.settle()
    await house.receiver.got(7)
    await house.until(everything, "delivered")

    acts = [one.event["data"] for one in house.receiver.requests if one.event["data"]["subject"].endswith(endpoint)]
    expected = ["add", "change", "delete", "disable", "enable", "rotate_secret"]
    assert sorted(act["action"] for act in acts) == [f"webhooks.{what}" for what in expected]
    for word in ("topsecret", secret, rotated["secret"]):
        assert word not in str(acts)


@pytest.mark.parametrize(
    ("event_types", "message"),
    [
        (["shop.sol.v1"], "did you mean 'shop.sold.v1'?"),
        (["nothing.*"], "GET /webhooks/event-types lists them"),
        ([], "length"),
        (["shop.*.v1"], "match"),
        (["shop.sold.v1\n"], "match"),
    ],
)
async def test_patterns_that_are_for_nothing_are_refused(house: House, event_types: Any, message: str) -> None:
    """A slip of the pen would never be noticed."""
    body = {"url": house.receiver.url, "event_types": event_types}

    refused = await house.call("POST", "/endpoints", body, expect=422)

    assert "event_types" in refused["errors"][0]["field"]
    assert message in refused["errors"][0]["message"]


async def test_event_types_of_plugins_that_are_on_are_listed(house: House) -> None:
    """By pages as every list."""
    first = await house.call("GET", "/event-types", params={"limit": 2})
    rest = await house.call("GET", "/event-types", params={"cursor": first["next"]})

    assert first["items"] == ["audit.act_recorded.v1", "shop.closed.v1"]
    assert rest["items"] == ["shop.sold.v1", "webhooks.endpoint_disabled.v1"]


def test_settings_that_can_not_be_meant_are_refused() -> None:
    """Networks that are none, and retries beyond what is kept."""
    with pytest.raises(ValueError, match="does not appear to be"):
        WebhooksSettings(allow_networks=("10.0.0.0/99",))
    with pytest.raises(ValueError, match="'keep_days'"):
        WebhooksSettings(keep_days=1)
