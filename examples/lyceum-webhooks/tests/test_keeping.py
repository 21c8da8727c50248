"""What is kept, how long, and what of people."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import lyceum_webhooks.migrations
import msgspec
import pytest
from house import Closed, House, Sold
from lyceum_webhooks.queue import Queue
from lyceum_webhooks.tables import metadata

from kernel import ERASED, new_id
from kernel.contracts.personal_data import PERSONAL_DATA, PersonalData, Receipt, Subject
from kernel.database.location import DatabaseSettings
from kernel.database.migrations import Target
from kernel.testing.migrations import assert_revisions_make_exactly
from kernel.testing.servers import PostgresServer

DAY: Final = 86_400


def personal_data(house: House) -> PersonalData:
    [found] = [one for name, one in house.deployment.platform.services.named(PERSONAL_DATA) if name == "webhooks"]
    return found


async def rows(house: House, query: str) -> list[tuple[Any, ...]]:
    async with house.deployment.platform.context("webhooks").db.engine().connect() as connection:
        return [tuple(row) for row in await connection.exec_driver_sql(query)]


async def test_events_are_deleted_when_they_were_kept_long_enough(house: House) -> None:
    """With what came of their deliveries; what waits is kept until it has arrived or is given up."""
    house.receiver.answers(200, 500)
    endpoint, _ = await house.add()
    await house.sell(1)
    await house.until(endpoint, "delivered")
    await house.sell(2)
    await house.until(endpoint, "waiting")
    await house.call("POST", f"/endpoints/{endpoint}/disable", {})
    queue = house.deployment.platform.context("webhooks").own(Queue)

    await queue.forget()
    assert len(await house.deliveries(endpoint)) == 2
    house.deployment.clock.advance(14 * DAY + 1)
    await queue.forget()

    assert await house.deliveries(endpoint) == []
    assert await rows(house, "SELECT count(*) FROM messages") == [(0,)]


async def test_what_waits_outlasts_the_time_for_which_is_kept(house: House) -> None:
    """An event is not lost because its receiver was away."""
    house.receiver.answers(500)
    endpoint, _ = await house.add()
    await house.sell()
    await house.until(endpoint, "waiting")

    house.deployment.clock.advance(15 * DAY)
    await house.deployment.platform.context("webhooks").own(Queue).forget()

    assert len(await house.deliveries(endpoint)) == 1


async def test_person_is_told_where_events_about_them_went(house: House) -> None:
    """And of nothing about others."""
    endpoint, _ = await house.add(url=f"{house.receiver.url}?key=topsecret")
    person = new_id()
    await house.publish(Sold(customer=person, number=1), Sold(customer=new_id(), number=2), Closed(day="monday"))
    await house.receiver.got(3)
    await house.until(endpoint, "delivered")

    subject = Subject(user_id=person, email="tom@school.test")
    [found] = [document async for document in personal_data(house).export(subject)]

    [sent] = msgspec.json.decode(found.content)
    assert (sent["type"], sent["state"], sent["url"]) == ("shop.sold.v1", "delivered", house.receiver.url)


async def test_person_who_is_erased_is_taken_out_of_what_waits(house: House) -> None:
    """What is personal in the event goes, and the address wherever it stands; others' events stay as they are."""
    house.receiver.answers(500, body=b"tom@school.test is unknown")
    endpoint, _ = await house.add()
    person, other = new_id(), new_id()
    words = "write to tom@school.test"
    await house.publish(Sold(customer=person, number=1, words="a gift"), Sold(customer=other, number=2, words=words))
    await house.receiver.got(2)
    await house.until(endpoint, "waiting")
    subject = Subject(user_id=person, email="tom@school.test")

    first = await personal_data(house).erase(subject)
    again = await personal_data(house).erase(Subject(user_id=person, email=""))

    told = [msgspec.json.decode(row[0]) for row in await rows(house, "SELECT data FROM messages ORDER BY id")]
    assert [(event["number"], event["words"]) for event in told] == [(1, ""), (2, f"write to {ERASED}")]
    assert {found["excerpt"] for found in await house.deliveries(endpoint)} == {""}
    assert first == again
    assert first.erased
    assert first.kept
    house.receiver.answers(204)
    house.deployment.clock.advance(10)
    tries = await house.receiver.got(4)
    assert "tom@school.test" not in str([request.body for request in tries[2:]])


async def test_person_of_whom_nothing_is_kept_gets_an_empty_answer(house: House) -> None:
    """There is nothing to say."""
    await house.add()
    await house.sell()
    stranger = Subject(user_id=new_id(), email="eva@school.test")

    assert [document async for document in personal_data(house).export(stranger)] == []
    assert await personal_data(house).erase(stranger) == Receipt()


async def test_revisions_make_the_tables(end: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Up, down and up again leaves the tables that the code knows."""
    if end == "sqlite":
        await check(f"sqlite:///{tmp_path}")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    async with server.fresh_database() as url:
        await check(url)


async def check(url: str) -> None:
    settings = DatabaseSettings(url=url)
    await assert_revisions_make_exactly(
        Target(plugin="webhooks", settings=settings, metadata=metadata, revisions=lyceum_webhooks.migrations)
    )
