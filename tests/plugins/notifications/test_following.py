"""Whoever follows a topic is told of what concerns it, once, however many they are."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from kernel import new_id
from kernel.contracts.courses import CoursePublished
from kernel.contracts.notifications import NOTIFICATIONS, NotificationRequested, instructor_topic
from kernel.database import Command, Query
from kernel.testing.deploying import Deploy
from kernel.testing.failing import Failing
from plugins.notifications.circulating import ALL, BATCH, Circular, Circulating
from plugins.notifications.following import FOLLOW
from plugins.notifications.handlers import REGISTER
from plugins.notifications.noting import NOBODY, Happening, circulate
from plugins.notifications.tables import notices
from plugins.notifications.telling import Telling
from tests.plugins.notifications.people import PATH, House, decision, open_house, records, registered, tray

COUNT: Final = Query(sa.select(sa.func.count().label("count")).select_from(notices), int)
#: As if the person had been told long ago, and the notice was removed.
FORGET: Final = Command(sa.delete(notices).where(notices.c.user_id == sa.bindparam("person")))


def published(course: UUID, *instructors: UUID) -> CoursePublished:
    return CoursePublished(course_id=course, title="Knots", price=0, currency="EUR", instructor_ids=instructors)


async def test_new_course_of_somebody_one_follows_is_told(deploy: Deploy) -> None:
    """In the tray, and in the digest of the day; once, though two of those who teach it are followed."""
    house = await open_house(deploy)
    client, other = await house.person(), await house.person("bo@example.org")
    teachers = [new_id(), new_id()]
    for teacher in teachers:
        await client.call("PUT", f"{PATH}/following/{instructor_topic(teacher)}", expect=204)
        await client.call("PUT", f"{PATH}/following/{instructor_topic(teacher)}", expect=204)

    await house.tell(published(house.course("Knots"), *teachers))

    assert [one["title"] for one in await tray(client)] == ["New course: Knots", "Welcome to Lyceum"]
    assert await decision(client) == "daily"
    assert (await records(client))[0]["topic"] in [instructor_topic(one) for one in teachers]
    assert len(await tray(other)) == 1


async def test_who_follows_no_more_is_told_no_more(deploy: Deploy) -> None:
    """And sees what they follow."""
    house = await open_house(deploy)
    client = await house.person()
    topics = sorted(instructor_topic(new_id()) for _ in range(3))
    for topic in topics:
        await client.call("PUT", f"{PATH}/following/{topic}", expect=204)
    page = await client.call("GET", f"{PATH}/following", params={"limit": "2"})
    rest = await client.call("GET", f"{PATH}/following", params={"limit": "2", "cursor": page["next"]})
    assert [one["topic"] for one in page["items"] + rest["items"]] == topics

    await client.call("DELETE", f"{PATH}/following/{topics[0]}", expect=204)
    await house.tell(NotificationRequested(kind="course-published", topic=topics[0], facts={}))

    assert len(await tray(client)) == 1
    service = house.deployment.platform.services.get(NOTIFICATIONS)
    assert client.user is not None
    assert [await service.follows(client.user, topic) for topic in topics] == [False, True, True]


async def test_who_wrote_it_is_not_told(deploy: Deploy) -> None:
    """Nor is who began to follow afterwards."""
    house = await open_house(deploy, look_every=600)
    author, early, late = [await house.person(f"{name}@example.org") for name in ("author", "early", "late")]
    for client in (author, early):
        await client.call("PUT", f"{PATH}/following/club:chess", expect=204)
    event = NotificationRequested(kind="course-published", topic="club:chess", facts={}, author=author.user)
    await house.tell(event)
    await late.call("PUT", f"{PATH}/following/club:chess", expect=204)
    await house.told()

    assert [len(await tray(one)) for one in (author, early, late)] == [1, 2, 1]


async def test_many_are_told_once_each(deploy: Deploy, failing: Failing) -> None:
    """Though it breaks off in the middle, and several are at it."""
    house = await open_house(deploy)
    people = await many(house, 2 * BATCH + 10)
    failing.arm("plugins.notifications.circulating.NOTED", "raise|once")
    course = house.course()

    await house.tell(published(course, house.teacher))
    telling = house.deployment.platform.context("notifications").own(Telling)
    await asyncio.gather(*(telling.tell() for _ in range(4)))

    titles = [len(await tray(house.deployment.client("student", user=one))) for one in (people[0], people[-1])]
    assert titles == [1, 1]
    ctx = house.deployment.platform.context("notifications")
    assert await ctx.db.one(COUNT) == len(people)


async def test_circular_that_another_has_taken_further_is_left_to_it(deploy: Deploy) -> None:
    """Who comes with what it read before notes nobody, and does not end it."""
    house = await open_house(deploy, look_every=600)
    ctx = house.deployment.platform.context("notifications")
    client = await house.person()
    await client.call("PUT", f"{PATH}/following/club:chess", expect=204)
    now = ctx.clock.now()
    circular = Circular(
        event_id=new_id(), topic="club:chess", kind="welcome", facts={}, author=None, at=now, after=NOBODY, step=0
    )
    async with ctx.db.transaction() as session:
        happening = Happening(event_id=circular.event_id, kind="welcome", facts={}, at=now)
        await circulate(session, happening, circular.topic)
    circulating = ctx.own(Circulating)

    await circulating.go_on(circular, {})
    await ctx.db.run(FORGET, person=client.user)
    await circulating.go_on(circular, {})

    assert await ctx.db.one(COUNT) == 0
    assert len(await ctx.db.all(ALL)) == 1


async def many(house: House, count: int) -> list[UUID]:
    """Return people who follow the teacher of the house, in the order of their ids."""
    people = sorted(new_id() for _ in range(count))
    ctx = house.deployment.platform.context("notifications")
    contacts = [registered(one, f"{one}@example.org") for one in people]
    rows = [{name: getattr(one, name) for name in ("user_id", "email", "display_name", "locale")} for one in contacts]
    await ctx.db.run_many(REGISTER, rows)
    topic = instructor_topic(house.teacher)
    now = ctx.clock.now()
    await ctx.db.run_many(FOLLOW, [{"topic": topic, "user_id": one, "since": now} for one in people])
    return people
