"""Many people, few seats, one moment: exactly as many get in as there are seats, in one process and in two."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import cycle
from uuid import UUID

import pytest
import sqlalchemy as sa

from kernel.contracts.courses import COURSES
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.enrollments import tables
from plugins.enrollments.recounting import mend
from tests.plugins.enrollments.shop import ENROLLMENTS, PRICE, PURCHASES, Shop, new_key, open_shop, order, terms

PEOPLE = 50
SEATS = 3
ROUNDS = 4

pytestmark = pytest.mark.postgresql_only


async def processes(shop: Shop, number: int) -> list[Deployment]:
    """Return the shop's process, and further ones that sell the same courses."""
    twins = [await shop.deployment.twin() for _ in range(number - 1)]
    for twin in twins:
        twin.platform.services.provide(COURSES, shop.courses)
    return [shop.deployment, *twins]


async def crowd(shop: Shop, deployments: Sequence[Deployment], *, balance: int = PRICE) -> list[Client]:
    """Return people with warm connections, spread over the processes."""
    people = [deployment.client("student") for _, deployment in zip(range(PEOPLE), cycle(deployments))]
    code = await shop.voucher(amount=balance, max_uses=PEOPLE)
    body = {"code": code}
    for person in people:
        await person.call("POST", "/api/v1/payments/vouchers/redeem", body, headers=new_key())
    return people


async def attempt(client: Client, course: UUID) -> str:
    """Buy *course*; return what came of it."""
    async with client.post(PURCHASES, json=order(course), headers=new_key()) as answer:
        return "bought" if answer.status == 201 else str((await answer.json())["type"])


async def assert_right(shop: Shop, course: UUID, taken: int) -> None:
    """The number, the seats and the people all say the same."""
    assert await shop.taken(course) == taken
    assert await mend(shop.deployment.platform.context("enrollments")) == []
    roster = await shop.admin.call("GET", f"{ENROLLMENTS}/courses/{course}", params={"limit": 100})
    assert len(roster["items"]) == taken


@pytest.mark.parametrize("number", [1, 2], ids=["one process", "two processes"])
async def test_exactly_as_many_buy_as_there_are_seats(deploy: Deploy, number: int) -> None:
    """Everyone else is told that the course is full, and is charged nothing."""
    shop = await open_shop(deploy)
    people = await crowd(shop, await processes(shop, number), balance=PRICE * ROUNDS)
    for _ in range(ROUNDS):
        course = shop.course()
        await shop.limit(course, SEATS)

        told = await asyncio.gather(*(attempt(person, course) for person in people))

        assert told.count("bought") == SEATS
        assert told.count("/problems/course-full") == PEOPLE - SEATS
        await assert_right(shop, course, SEATS)
    wallets = await asyncio.gather(*(person.call("GET", "/api/v1/payments/wallet") for person in people))
    assert sum(wallet["balance"] for wallet in wallets) == PRICE * ROUNDS * (PEOPLE - SEATS)


@pytest.mark.parametrize("number", [1, 2], ids=["one process", "two processes"])
async def test_a_limit_that_comes_while_people_buy_lets_nobody_slip_in(deploy: Deploy, number: int) -> None:
    """Whoever bought before keeps the course; from the limit on each seat is counted."""
    shop = await open_shop(deploy)
    people = await crowd(shop, await processes(shop, number), balance=PRICE * ROUNDS)
    for round_ in range(ROUNDS):
        course = shop.course()

        async def limit(course: UUID = course, round_: int = round_) -> None:
            await asyncio.sleep(0.01 * round_)
            await shop.limit(course, SEATS)

        told, _ = await asyncio.gather(asyncio.gather(*(attempt(person, course) for person in people)), limit())

        assert set(told) <= {"bought", "/problems/course-full"}
        assert told.count("bought") >= SEATS
        await assert_right(shop, course, told.count("bought"))


async def test_seats_that_become_free_are_taken_once(deploy: Deploy) -> None:
    """People leave while others come: never more than there are seats, and no seat is lost."""
    shop = await open_shop(deploy)
    people = await crowd(shop, [shop.deployment], balance=PRICE * 3)
    course = shop.course()
    await shop.limit(course, SEATS)

    async def come_and_go(person: Client) -> None:
        for _ in range(3):
            if await attempt(person, course) == "bought":
                assert await shop.taken(course) <= SEATS
                await person.call("POST", f"{ENROLLMENTS}/courses/{course}/leave", {})

    await asyncio.gather(*(come_and_go(person) for person in people))

    await assert_right(shop, course, 0)


async def test_one_person_who_is_given_and_buys_at_once_takes_one_seat(deploy: Deploy) -> None:
    """Gifts, purchases and the loss of both meet; in the end there is a seat exactly if there is a grant."""
    shop = await open_shop(deploy)
    for _ in range(ROUNDS * 2):
        course, student = shop.course(), await shop.student(PRICE)
        await shop.limit(course, 1)
        gift = await shop.grant(student, course, source="gift", ends_at="2999-01-01T00:00:00Z")

        told, *_ = await asyncio.gather(
            attempt(student, course),
            shop.change(gift["id"], "revoke"),
            shop.grant(student, course, source="trial", ends_at="2999-01-01T00:00:00Z"),
        )

        assert told == "bought"
        await assert_right(shop, course, 1)


async def test_limits_that_are_set_at_once_come_one_after_the_other(deploy: Deploy) -> None:
    """One of them stands in the end, and the seats are right; who met another is told so."""
    shop = await open_shop(deploy)
    for _ in range(ROUNDS):
        course, student = shop.course(), await shop.student(PRICE)
        await attempt(student, course)

        async def put(seats: int | None, course: UUID = course) -> int:
            async with shop.admin.put(terms(course), json={"seats": seats}) as answer:
                return answer.status

        statuses = await asyncio.gather(*(put(seats) for seats in (1, 2, None, 3, 4)))

        assert set(statuses) <= {200, 409}
        await assert_right(shop, course, 1)


async def test_a_long_read_is_in_nobodys_way(deploy: Deploy) -> None:
    """While a backup reads everything, limits are set and courses bought."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE)

    async with shop.deployment.platform.context("enrollments").db.engine().begin() as connection:
        await connection.execute(sa.select(tables.terms))
        async with asyncio.timeout(5):
            await shop.limit(course, 1)
            told = await attempt(student, course)

    assert told == "bought"
    await assert_right(shop, course, 1)
