"""Events reach whoever asked for them: signed, once, as they were told."""

from __future__ import annotations

from datetime import datetime

from house import API, Closed, House
from receiving import verified

from kernel import new_id


async def test_event_is_delivered_signed(house: House) -> None:
    """The body is the event's envelope, and the three headers are there."""
    _, secret = await house.add("shop.sold.v1")

    await house.sell(7)
    [request] = await house.receiver.got(1)

    assert verified(request, secret)
    assert not verified(request, "whsec_" + "A" * 44)
    assert (request.event["type"], request.event["data"]["number"]) == ("shop.sold.v1", 7)
    assert set(request.event) == {"type", "timestamp", "data"}
    assert datetime.fromisoformat(request.event["timestamp"]).tzinfo is not None
    assert request.headers["content-type"] == "application/json"
    assert "." not in request.id


async def test_receiver_finds_out_when_the_body_was_changed(house: House) -> None:
    """And when the id or the time was."""
    _, secret = await house.add()
    await house.sell()
    [request] = await house.receiver.got(1)

    changed = type(request)(request.path, request.headers, request.body.replace(b"1", b"2"))
    late = type(request)(request.path, {**request.headers, "webhook-timestamp": "1"}, request.body)
    other = type(request)(request.path, {**request.headers, "webhook-id": "another"}, request.body)

    assert [verified(one, secret) for one in (request, changed, late, other)] == [True, False, False, False]


async def test_only_what_was_asked_for_is_delivered(house: House) -> None:
    """By name, by the beginning of a name, or everything."""
    sold, _ = await house.add("shop.sold.v1", url=f"{house.receiver.url}/sold")
    shop, _ = await house.add("shop.*", url=f"{house.receiver.url}/shop")
    await house.publish(Closed(day="monday"))
    await house.sell()

    await house.receiver.got(3)

    assert [found["type"] for found in await house.deliveries(sold)] == ["shop.sold.v1"]
    assert [found["type"] for found in await house.deliveries(shop)] == ["shop.sold.v1", "shop.closed.v1"]


async def test_everything_means_the_events_of_every_plugin(house: House) -> None:
    """What administrators do among them."""
    everything, _ = await house.add("*")
    await house.add("shop.closed.v1")
    await house.sell()

    await house.receiver.got(2)

    assert {found["type"] for found in await house.deliveries(everything)} >= {"audit.act_recorded.v1", "shop.sold.v1"}


async def test_what_happened_before_the_registration_is_not_told(house: House) -> None:
    """The events that are kept are not sent to whoever comes later, also when they are read once more."""
    await house.sell(1)
    endpoint, _ = await house.add()
    await replay(house)
    await house.sell(2)

    [request] = await house.receiver.got(1)

    assert request.event["data"]["number"] == 2
    assert len(await house.deliveries(endpoint)) == 1


async def test_nothing_is_kept_of_events_that_nobody_wants(house: House) -> None:
    """Neither here nor in the inbox."""
    await house.add("shop.closed.v1")

    await house.sell(1, 2, 3)

    ctx = house.deployment.platform.context("webhooks")
    async with ctx.db.engine().connect() as connection:
        for table in ("messages", "deliveries", "inbox"):
            found = await connection.exec_driver_sql(f"SELECT count(*) FROM {table}")
            assert found.scalar() == 0, table


async def test_event_that_comes_twice_is_delivered_once(house: House) -> None:
    """Also when somebody has the log replayed."""
    endpoint, _ = await house.add()
    await house.sell()
    await house.receiver.got(1)
    await house.until(endpoint, "delivered")

    await replay(house)
    await house.publish(Closed(day="monday"))
    await house.receiver.got(2)

    assert [request.event["type"] for request in house.receiver.requests] == ["shop.sold.v1", "shop.closed.v1"]
    async with house.deployment.platform.context("webhooks").db.engine().connect() as connection:
        states = await connection.exec_driver_sql("SELECT DISTINCT state FROM inbox")
        assert [state for (state,) in states] == ["done"]


async def test_delivery_tells_what_came_of_it(house: House) -> None:
    """Status, time and the beginning of the answer, also one that no database can hold as it is."""
    house.receiver.answers(200, body=b"thanks\x00" + b"x" * 10_000)
    endpoint, _ = await house.add()
    await house.sell()

    found = await house.until(endpoint, "delivered")

    assert (found["status"], found["attempts"], found["error"]) == (200, 1, "")
    assert found["milliseconds"] >= 0
    assert found["excerpt"].startswith("thanks�x")
    assert len(found["excerpt"]) <= 500
    assert found["event_id"] == house.receiver.requests[0].id
    assert await house.call("GET", f"/deliveries/{found['id']}") == found


async def test_deliveries_are_listed_by_pages_and_by_state(house: House) -> None:
    """The newest first."""
    endpoint, _ = await house.add()
    await house.sell(*range(5))
    await house.receiver.got(5)
    await house.until(endpoint, "delivered")

    path, seen, cursor = f"/endpoints/{endpoint}/deliveries", [], None
    while True:
        page = await house.call("GET", path, params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        seen += [item["id"] for item in page["items"]]
        if (cursor := page["next"]) is None:
            break

    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 5
    assert await house.deliveries(endpoint, state="failed") == []


async def test_test_event_goes_to_one_endpoint(house: House) -> None:
    """Whatever it listens to."""
    endpoint, secret = await house.add("shop.closed.v1", url=f"{house.receiver.url}/one")
    await house.add("*", url=f"{house.receiver.url}/other")

    sent = await house.call("POST", f"/endpoints/{endpoint}/test", expect=202)
    await house.until(endpoint, "delivered")

    [request] = [one for one in house.receiver.requests if one.event["type"] == "webhooks.test.v1"]
    assert (request.path, request.event["data"]) == ("/hook/one", {"endpoint_id": endpoint})
    assert verified(request, secret)
    assert sent["event_id"] == request.id


async def test_delivered_event_can_be_delivered_again(house: House) -> None:
    """Under the same id, by which the receiver knows it."""
    endpoint, secret = await house.add()
    await house.sell()
    found = await house.until(endpoint, "delivered")

    await house.call("POST", f"/deliveries/{found['id']}/redeliver", expect=202)
    first, second = await house.receiver.got(2)

    assert (first.id, first.body) == (second.id, second.body)
    assert verified(second, secret)


async def test_query_of_the_url_is_sent_and_not_recorded(house: House) -> None:
    """It often holds a password of the receiver's."""
    await house.add("*", url=f"{house.receiver.url}?key=topsecret")
    await house.deployment.settle()
    [request] = [one for one in await house.receiver.got(1) if one.event["type"] == "audit.act_recorded.v1"]

    assert request.path == "/hook?key=topsecret"
    assert request.event["data"]["action"] == "webhooks.add"
    assert b"topsecret" not in request.body


async def test_strangers_reach_nothing(house: House) -> None:
    """Neither without a permission nor by an id that is not there."""
    for role, status in ((None, 401), ("student", 403), ("instructor", 403)):
        client = house.deployment.client(role)
        await client.call("GET", f"{API}/endpoints", expect=status)
        await client.call("POST", f"{API}/endpoints", {}, expect=status)
    await house.call("GET", f"/endpoints/{new_id()}", expect=404)
    await house.call("POST", f"/deliveries/{new_id()}/redeliver", expect=404)


async def replay(house: House) -> None:
    """Have the whole log of the shop read once more."""
    await house.deployment.platform.events.administration.replay("shop", 1, plugin="webhooks")
    await house.deployment.settle()
