"""What does not arrive is tried again, for days, and less and less often; then nobody is troubled any more."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

import pytest
from aiohttp import web
from house import House, make_house
from lyceum_webhooks.posting import EXCERPT, seconds_of
from lyceum_webhooks.settings import WebhooksSettings
from receiving import Receiver, Request, verified

from kernel.testing.deploying import Deploy

SCHEDULE: Final = WebhooksSettings().retries
JITTER: Final = 1.1


def waits(found: dict[str, str], house: House) -> float:
    """Return in how many seconds the delivery is due."""
    return (datetime.fromisoformat(found["next_at"]) - house.deployment.clock.now()).total_seconds()


async def test_failed_delivery_is_tried_again_after_the_schedule_of_the_specification(house: House) -> None:
    """Ten tries in more than three days; each has a time and a signature of its own, and the same id."""
    house.receiver.answers(500)
    endpoint, secret = await house.add()
    await house.sell()

    for attempt, delay in enumerate(SCHEDULE, start=1):
        found = await house.until(endpoint, "waiting", attempt)
        assert (found["status"], found["attempts"]) == (500, attempt)
        assert delay * 0.9 <= waits(found, house) <= delay * JITTER
        house.deployment.clock.advance(delay * JITTER)
    found = await house.until(endpoint, "failed", len(SCHEDULE) + 1)

    tries = house.receiver.requests
    assert (len(tries), found["error"]) == (10, "it answered 500")
    assert len({request.id for request in tries}) == 1
    assert len({request.headers["webhook-timestamp"] for request in tries}) == 10
    assert all(verified(request, secret) for request in tries)
    assert (await house.endpoint(endpoint))["disabled_at"] is None


async def test_delivery_succeeds_as_soon_as_the_receiver_does(house: House) -> None:
    """And the endpoint is no longer said to fail."""
    house.receiver.answers(500, 200)
    endpoint, _ = await house.add()
    await house.sell()
    await house.until(endpoint, "waiting")
    assert (await house.endpoint(endpoint))["failing_since"] is not None

    house.deployment.clock.advance(SCHEDULE[0] * JITTER)
    found = await house.until(endpoint, "delivered")

    assert (found["attempts"], found["error"]) == (2, "")
    assert (await house.endpoint(endpoint))["failing_since"] is None


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirect_is_a_failure_and_is_not_followed(house: House, status: int) -> None:
    """Where it leads is not where the administrator said."""
    elsewhere = f"http://127.0.0.1:{house.receiver.port}/elsewhere"
    house.receiver.answers(status, headers={"Location": elsewhere})
    endpoint, _ = await house.add()
    await house.sell()

    found = await house.until(endpoint, "waiting")

    assert found["status"] == status
    assert "change the endpoint's URL" in found["error"]
    assert [request.path for request in house.receiver.requests] == ["/hook"]


async def test_receiver_that_is_gone_is_told_of_nothing_any_more(deploy: Deploy, receiver: Receiver) -> None:
    """410 disables the endpoint at once; it is an event and an act, and what waits is held until it is enabled."""
    house = await make_house(deploy, receiver, "audit")
    watcher, _ = await house.add("webhooks.*", url=f"{receiver.url}/watcher")
    endpoint, _ = await house.add("shop.*", url=f"{receiver.url}/shop?key=topsecret")
    await answer_by_path(receiver, {"/hook/shop?key=topsecret": 410})
    await house.sell()
    await house.until(endpoint, "held")
    await house.deployment.settle()
    await house.until(watcher, "delivered")

    disabled = await house.endpoint(endpoint)
    assert disabled["disabled_reason"] == "it answered 410 Gone"
    [told] = [one.event for one in receiver.requests if one.event["type"] == "webhooks.endpoint_disabled.v1"]
    url = receiver.url + "/shop"
    assert told["data"] == {"endpoint_id": endpoint, "url": url, "reason": "it answered 410 Gone"}
    concerning = {"subject": f"endpoint:{endpoint}"}
    acts = (await house.administrator.call("GET", "/api/v1/audit/acts", params=concerning))["items"]
    assert (acts[0]["action"], acts[0]["reason"]) == ("webhooks.disable", "it answered 410 Gone")

    await house.sell(2)
    assert len(await house.deliveries(endpoint)) == 1
    await house.call("POST", f"/endpoints/{endpoint}/test", expect=409)

    await answer_by_path(receiver, {})
    await house.call("POST", f"/endpoints/{endpoint}/enable")
    since = {"since": (house.deployment.clock.now() - timedelta(hours=1)).isoformat()}
    assert await house.call("POST", f"/endpoints/{endpoint}/redeliver", since, expect=202) == {"count": 1}
    assert (await house.until(endpoint, "delivered"))["attempts"] == 1


async def test_endpoint_that_fails_for_days_is_disabled(deploy: Deploy, receiver: Receiver) -> None:
    """With the reason; one success in between would have begun the days anew."""
    house = await make_house(deploy, receiver, disable_after_hours=2)
    receiver.answers(500)
    endpoint, _ = await house.add()
    await house.sell()
    await house.until(endpoint, "waiting")

    for attempt, delay in enumerate(SCHEDULE[:4], start=1):
        await house.until(endpoint, "waiting", attempt)
        assert (await house.endpoint(endpoint))["disabled_at"] is None
        house.deployment.clock.advance(delay * JITTER)
    await house.until(endpoint, "held", 5)

    assert (await house.endpoint(endpoint))["disabled_reason"] == "it failed for 2 hours; last: it answered 500"


async def test_receiver_that_is_busy_is_left_alone_as_long_as_it_asks(house: House) -> None:
    """All that is for it waits; another endpoint is told at once."""
    busy, _ = await house.add(url=f"{house.receiver.url}/busy")
    other, _ = await house.add(url=f"{house.receiver.url}/other")
    await answer_by_path(house.receiver, {"/hook/busy": 503}, headers={"Retry-After": "600"})
    await house.sell(1)
    found = await house.until(busy, "waiting")
    assert 590 <= waits(found, house) <= 600

    await house.sell(2)
    await house.receiver.got(3)
    house.deployment.clock.advance(300)
    await asyncio.sleep(0.3)

    assert [one.path for one in house.receiver.requests].count("/hook/busy") == 1
    await answer_by_path(house.receiver, {})
    house.deployment.clock.advance(300)
    await house.receiver.got(5)
    assert {found["state"] for found in await house.deliveries(other)} == {"delivered"}


async def test_silent_receiver_is_waited_for_as_long_as_the_settings_say(deploy: Deploy, receiver: Receiver) -> None:
    """It fails as any other."""

    async def silence(request: Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    house = await make_house(deploy, receiver, timeout=0.2)
    receiver.answer = silence
    endpoint, _ = await house.add()
    await house.sell()

    found = await house.until(endpoint, "waiting")

    assert (found["status"], found["error"]) == (None, "no response within 0.2 s")
    assert 200 <= found["milliseconds"] < 2000


async def test_endless_answer_is_not_read(house: House) -> None:
    """Its status counts, and its beginning is kept."""
    written = 0

    async def endless(request: Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        assert house.receiver.current is not None
        await response.prepare(house.receiver.current)
        for _ in range(10_000):
            await response.write(b"x" * 65_536)
            written += 65_536
        return response

    house.receiver.answer = endless
    endpoint, _ = await house.add()
    await house.sell()

    found = await house.until(endpoint, "delivered")

    assert found["excerpt"] == "x" * EXCERPT
    assert written < 50_000_000


async def test_receiver_that_is_not_there_is_tried_again(house: House) -> None:
    """As one that fails."""
    endpoint, _ = await house.add(url="http://127.0.0.1:9/")
    await house.sell()

    found = await house.until(endpoint, "waiting")

    assert found["status"] is None
    assert "127.0.0.1" in found["error"]


def test_receivers_say_in_two_ways_how_long_to_wait() -> None:
    """In seconds or as a date; what can not be read asks for nothing."""
    now = datetime(2040, 1, 1, tzinfo=UTC)

    assert seconds_of("120", now) == 120
    assert seconds_of(format_datetime(now + timedelta(seconds=90), usegmt=True), now) == 90
    assert [seconds_of(text, now) for text in ("", "-5", "soon", format_datetime(now - timedelta(days=1)))] == [0] * 4
    assert [seconds_of(text, now) for text in ("9" * 1000, format_datetime(now + timedelta(days=900)))] == [86_400] * 2


async def answer_by_path(receiver: Receiver, statuses: dict[str, int], **options: object) -> None:
    async def answer(request: Request) -> web.StreamResponse:
        status = statuses.get(request.path, 204)
        return web.Response(status=status, **(options if status != 204 else {}))  # type: ignore[arg-type]

    receiver.answer = answer
