"""Leaving a course by oneself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from kernel import Plugin
from kernel.contracts.enrollments import AccessEnded, GrantRevoked
from kernel.contracts.payments import ChargeRefunded
from kernel.database import Query, Session
from kernel.testing import witness
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from plugins.enrollments.leaving import Leaving
from tests.plugins.enrollments.shop import ENROLLMENTS, JSON, PRICE, PURCHASES, Shop, balance, buy, new_key, open_shop
from tests.plugins.enrollments.test_faults import open_faulty

WITNESS: type[Plugin] = witness.witness_of(AccessEnded, GrantRevoked, ChargeRefunded)
DAY = 24 * 3600


async def leave(client: Client, course: UUID, *, expect: int = 200, **facts: object) -> JSON:
    """Leave *course*; return the answer."""
    answer: JSON = await client.call("POST", f"{ENROLLMENTS}/courses/{course}/leave", facts, expect=expect)
    return answer


async def told(shop: Shop) -> list[str]:
    """Return the names of the events that were told."""
    await shop.settle()
    witnessed = shop.deployment.platform.context(witness.NAME).own(witness.Witnessed)
    return sorted(type(event).__name__ for event in witnessed.events)


async def test_who_leaves_in_time_has_the_money_back(deploy: Deploy) -> None:
    """Whole, once, however often one leaves; then the course can be bought again."""
    shop = await open_shop(deploy, WITNESS)
    course, student = shop.course(), await shop.student(PRICE)
    receipt = await buy(student, course)
    shop.deployment.clock.advance(14 * DAY - 60)

    left = await leave(student, course)
    again = await leave(student, course)

    assert left["ended"] == [receipt["grant_id"]]
    assert [(one["id"], one["amount"]) for one in left["refunded"]] == [(receipt["purchase_id"], PRICE)]
    assert again == {"ended": [], "refunded": []}
    assert await told(shop) == ["AccessEnded", "ChargeRefunded", "GrantRevoked"]
    assert await balance(student) == PRICE
    assert (await shop.access(student, course))["access"]["reason"] == "revoked"
    assert (await student.call("GET", f"{PURCHASES}/{receipt['purchase_id']}"))["state"] == "refunded"
    await buy(student, course)


async def test_who_leaves_late_has_to_say_that_no_money_is_expected(deploy: Deploy) -> None:
    """Until then nothing changes."""
    shop = await open_shop(deploy, WITNESS)
    course, student = shop.course(), await shop.student(PRICE)
    receipt = await buy(student, course)
    gift = await shop.grant(student, course, source="gift")
    shop.deployment.clock.advance(14 * DAY + 60)

    refused = await leave(student, course, expect=409)
    kept = (await shop.access(student, course))["access"]["allowed"]
    left = await leave(student, course, accept_no_refund=True)
    await shop.settle()

    assert (refused["type"], refused["purchase_ids"]) == ("/problems/grace-period-over", [receipt["purchase_id"]])
    assert kept
    assert (left["ended"], left["refunded"]) == ([receipt["grant_id"], gift["id"]], [])
    assert not (await shop.access(student, course))["access"]["allowed"]
    assert await balance(student) == 0


async def test_without_days_of_grace_nothing_goes_back(deploy: Deploy) -> None:
    """Not even at once."""
    shop = await open_shop(deploy, grace_days=0)
    course, student = shop.course(), await shop.student(PRICE)
    await buy(student, course)

    await leave(student, course, expect=409)
    await leave(student, course, accept_no_refund=True)
    await shop.settle()

    assert await balance(student) == 0


async def test_what_cost_nothing_is_left_at_any_time(deploy: Deploy) -> None:
    """A free course and a gift; there is nothing to accept."""
    shop = await open_shop(deploy)
    free, given, student = shop.course(0), shop.course(), await shop.student()
    await buy(student, free)
    await shop.grant(student, given, source="gift")
    shop.deployment.clock.advance(100 * DAY)

    for course in (free, given):
        assert len((await leave(student, course))["ended"]) == 1
        assert not (await shop.access(student, course))["access"]["allowed"]


async def test_staff_do_not_leave_by_themselves(deploy: Deploy) -> None:
    """What they have as staff stays, and so does what others have."""
    shop = await open_shop(deploy)
    course, teacher, other = shop.course(), await shop.student(), await shop.student()
    await shop.grant(teacher, course)
    await shop.grant(other, course, source="gift")
    gift = await shop.grant(teacher, course, source="gift")

    left = await leave(teacher, course)

    assert left["ended"] == [gift["id"]]
    for person in (teacher, other):
        assert (await shop.access(person, course))["access"]["allowed"]


async def test_what_is_over_is_not_left(deploy: Deploy) -> None:
    """What is yet to begin is."""
    shop = await open_shop(deploy, sweep_every=600)
    course, student, now = shop.course(), await shop.student(), shop.deployment.clock.now()
    await shop.grant(student, course, source="trial", ends_at=(now + timedelta(hours=1)).isoformat())
    later = await shop.grant(student, course, source="gift", starts_at=(now + timedelta(hours=5)).isoformat())
    shop.deployment.clock.advance(3700)

    left = await leave(student, course)

    assert left["ended"] == [later["id"]]


async def test_the_rest_of_a_price_of_which_some_went_back_goes_back_too(deploy: Deploy) -> None:
    """Nobody has more in the end than before the purchase."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    receipt = await buy(student, course)
    path = f"{PURCHASES}/{receipt['purchase_id']}/refund"
    await shop.admin.call("POST", path, {"amount": 900, "reason": "Sorry."}, headers=new_key())

    await leave(student, course)
    await shop.settle()

    assert await balance(student) == PRICE


async def test_the_money_comes_also_after_a_death(deploy: Deploy) -> None:
    """The access ends at once; what payments could not do then, the next process has them do, once."""
    shop, faulty = await open_faulty(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    await buy(student, course)
    faulty.may_refund.clear()

    await leave(student, course)
    await faulty.refunding.wait()
    ended, waiting = (await shop.access(student, course))["access"], await balance(student)
    await shop.restarted()
    await shop.settle()

    assert (ended["allowed"], waiting) == (False, 0)
    assert await balance(student) == PRICE


async def test_a_repeated_request_is_answered_alike(deploy: Deploy) -> None:
    """With the same key as what it was the first time."""
    shop = await open_shop(deploy)
    course, student, key = shop.course(), await shop.student(PRICE), new_key()
    await buy(student, course)

    path = f"{ENROLLMENTS}/courses/{course}/leave"
    first, again = [await student.call("POST", path, {}, headers=key) for _ in range(2)]

    assert again == first
    assert len(first["refunded"]) == 1


@pytest.mark.postgresql_only
async def test_who_leaves_many_times_at_once_leaves_once(deploy: Deploy) -> None:
    """The money goes back once, also if an administrator gives it back at the same moment."""
    shop = await open_shop(deploy, WITNESS)
    for number in range(1, 6):
        course, student = shop.course(), await shop.student(PRICE)
        receipt = await buy(student, course)

        async def refund(purchase: str = receipt["purchase_id"]) -> None:
            path, body = f"{PURCHASES}/{purchase}/refund", {"reason": "Sorry."}
            async with shop.admin.post(path, json=body, headers=new_key()) as answer:
                assert answer.status in (200, 409)

        left = await asyncio.gather(*(leave(student, course) for _ in range(10)), refund())
        found = await told(shop)

        assert sum(len(one["ended"]) for one in left if one) <= 1
        assert await balance(student) == PRICE
        assert [found.count(name) for name in ("AccessEnded", "ChargeRefunded", "GrantRevoked")] == [number] * 3


class Interrupted:
    """A session in which something happens after the first thing that was read."""

    def __init__(self, session: Session, happening: Callable[[], Awaitable[object]]) -> None:
        self._session = session
        self._happening: Callable[[], Awaitable[object]] | None = happening

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def all(self, query: Query[Any], /, **values: object) -> list[Any]:
        found = await self._session.all(query, **values)
        if self._happening is not None:
            happening, self._happening = self._happening, None
            await happening()
        return found


@pytest.mark.postgresql_only
async def test_what_is_bought_while_one_leaves_is_not_left(deploy: Deploy) -> None:
    """The trial ends; the purchase stands, or its money would be lost."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    trial = await shop.grant(student, course, source="trial", ends_at="2999-01-01T00:00:00Z")
    ctx = shop.deployment.platform.context("enrollments")
    assert student.user is not None

    async with ctx.db.transaction() as session:
        meanwhile = cast("Session", Interrupted(session, lambda: buy(student, course)))
        left = await ctx.own(Leaving).leave(meanwhile, student.user, course, accept_no_refund=False)

    assert ([str(one) for one in left.ended], left.refunded) == ([trial["id"]], [])
    assert (await shop.access(student, course))["access"]["reason"] == "purchase"
