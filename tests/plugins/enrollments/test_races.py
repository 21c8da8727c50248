"""Purchases at the same moment."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from tests.plugins.enrollments.shop import ENROLLMENTS, PRICE, PURCHASES, balance, new_key, open_shop, order

TWINS = 20
ROUNDS = 5

pytestmark = pytest.mark.postgresql_only


async def attempt(client: Client, course: UUID, key: dict[str, str]) -> tuple[int, str]:
    """Return the status, and the purchase or the problem's type."""
    async with client.post(PURCHASES, json=order(course), headers=key) as answer:
        body = await answer.json()
        return answer.status, body.get("purchase_id") or body["type"]


async def test_one_course_is_bought_once_by_many_keys(deploy: Deploy) -> None:
    """One purchase is charged; the others are told that it is under way or theirs already."""
    shop = await open_shop(deploy)
    for _ in range(ROUNDS):
        course, student = shop.course(), await shop.student(PRICE * TWINS)

        found = await asyncio.gather(*(attempt(student, course, new_key()) for _ in range(TWINS)))

        assert [status for status, _ in found].count(201) == 1
        assert {told for status, told in found if status != 201} <= {"/problems/already-enrolled", "/problems/conflict"}
        assert await balance(student) == PRICE * (TWINS - 1)


async def test_one_key_many_times_is_one_purchase(deploy: Deploy) -> None:
    """Every twin is answered alike."""
    shop = await open_shop(deploy)
    for _ in range(ROUNDS):
        course, student, key = shop.course(), await shop.student(PRICE * TWINS), new_key()

        found = await asyncio.gather(*(attempt(student, course, key) for _ in range(TWINS)))

        assert {status for status, _ in found} == {201}
        assert len({purchase for _, purchase in found}) == 1
        assert await balance(student) == PRICE * (TWINS - 1)


async def test_one_key_without_money_is_refused_many_times_and_buys_later(deploy: Deploy) -> None:
    """Nobody is told to have the course, and the key is free once every twin is answered."""
    shop = await open_shop(deploy)
    for _ in range(ROUNDS):
        course, student, key = shop.course(), await shop.student(), new_key()

        found = await asyncio.gather(*(attempt(student, course, key) for _ in range(TWINS)))
        await shop.fund(student, PRICE * 2)
        bought = await asyncio.gather(*(attempt(student, course, key) for _ in range(TWINS)))

        assert {told for _, told in found} <= {"/problems/insufficient-funds", "/problems/conflict"}
        assert {status for status, _ in bought} == {201}
        assert len({purchase for _, purchase in bought}) == 1
        assert await balance(student) == PRICE


async def test_money_for_five_courses_buys_five(deploy: Deploy) -> None:
    """However many are asked for at once."""
    shop = await open_shop(deploy)
    for _ in range(ROUNDS):
        student = await shop.student(PRICE * 5)
        courses = [shop.course() for _ in range(TWINS)]

        found = await asyncio.gather(*(attempt(student, course, new_key()) for course in courses))

        assert [status for status, _ in found].count(201) == 5
        assert {told for status, told in found if status != 201} == {"/problems/insufficient-funds"}
        assert await balance(student) == 0
        listed = await student.call("GET", f"{ENROLLMENTS}/mine", params={"limit": 100})
        assert len(listed["items"]) == 5


async def test_of_many_refunds_at_once_one_gives_the_money_back(deploy: Deploy) -> None:
    """The others find nothing left."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    _, purchase = await attempt(student, course, new_key())

    async def refund() -> int:
        path, body = f"{PURCHASES}/{purchase}/refund", {"reason": "Sorry."}
        async with shop.admin.post(path, json=body, headers=new_key()) as answer:
            return answer.status

    statuses = await asyncio.gather(*(refund() for _ in range(10)))
    await shop.settle()

    assert sorted(statuses) == [200] + [409] * 9
    assert await balance(student) == PRICE
    assert not (await shop.access(student, course))["access"]["allowed"]
