"""Purchases whose process dies: never charged and locked out, at whatever point."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from kernel import Plugin
from kernel.contracts.payments import Charge, Payments, Quote, Redemption, VoucherOffer
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.payments import InMemoryPayments
from plugins.enrollments.refunding import Refunding
from plugins.enrollments.sweeping import Sweeper
from tests.plugins.enrollments.shop import JSON, PRICE, Shop, balance, buy, open_shop


class Faulty:
    """A provider of payments in whose calls a test can let the process die."""

    def __init__(self, real: Payments) -> None:
        self.real = real
        self.before_charge: Callable[[], None] = lambda: None
        self.after_charge: Callable[[], None] = lambda: None
        self.before_refund: Callable[[], None] = lambda: None
        self.after_refund: Callable[[], None] = lambda: None
        self.asked = asyncio.Event()
        self.may_charge = asyncio.Event()
        self.may_charge.set()
        self.refunding = asyncio.Event()
        self.may_refund = asyncio.Event()
        self.may_refund.set()

    async def quote(self, user_id: UUID, course_id: UUID, *, voucher: str | None = None) -> Quote:
        return await self.real.quote(user_id, course_id, voucher=voucher)

    async def check(self, user_id: UUID, code: str, course_id: UUID | None = None) -> VoucherOffer:
        return await self.real.check(user_id, code, course_id)

    async def redeem(self, user_id: UUID, code: str, *, key: str) -> Redemption:
        return await self.real.redeem(user_id, code, key=key)

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        self.before_charge()
        self.asked.set()
        await self.may_charge.wait()
        found = await self.real.charge(purchase_id, user_id, course_id, amount, voucher=voucher)
        self.after_charge()
        return found

    async def find_charge(self, purchase_id: UUID) -> Charge | None:
        return await self.real.find_charge(purchase_id)

    async def refund(self, purchase_id: UUID, amount: int | None, *, key: str, reason: str) -> Charge:
        self.refunding.set()
        await self.may_refund.wait()
        self.before_refund()
        found = await self.real.refund(purchase_id, amount, key=key, reason=reason)
        self.after_refund()
        return found


class Unreachable(Faulty):
    """A provider that does not answer what was charged."""

    async def find_charge(self, purchase_id: UUID) -> Charge | None:
        raise ConnectionError("payments do not answer")


class Regretted(Faulty):
    """A provider whose charges are given back, and followed, before anybody hears of them."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.payments())
        self._shop = shop

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        found = await self.real.charge(purchase_id, user_id, course_id, amount, voucher=voucher)
        refunded = await self.real.refund(purchase_id, None, key=f"regret {purchase_id}", reason="Regret.")
        ctx = self._shop.deployment.platform.context("enrollments")
        async with ctx.db.transaction() as session:
            await ctx.own(Refunding).end(session, refunded, "Regret.")
        return found


def die() -> None:
    raise RuntimeError("the process dies here")


async def open_faulty(deploy: Deploy, *plugins: type[Plugin[Any]]) -> tuple[Shop, Faulty]:
    """Return a shop whose payments go through a `Faulty`; its sweeper runs only when a test calls it."""
    shop = await open_shop(deploy, *plugins, sweep_every=600)
    faulty = Faulty(shop.payments())
    shop.replace_payments(faulty)
    return shop, faulty


async def sweep(shop: Shop) -> None:
    """Let the sweeper look once, long after everything so far."""
    shop.deployment.clock.advance(20)
    await Sweeper(shop.deployment.platform.context("enrollments")).sweep()


async def test_a_charge_whose_process_dies_gives_the_access_by_its_event(deploy: Deploy) -> None:
    """Nobody has to come back for it."""
    shop, faulty = await open_faulty(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    faulty.after_charge = die

    await buy(student, course, expect=500)
    await shop.settle()

    assert await balance(student) == 0
    assert (await shop.access(student, course))["access"]["allowed"]


async def test_a_charge_whose_event_is_lost_gives_the_access_by_the_sweeper(deploy: Deploy) -> None:
    """A provider may tell late, or never: the sweeper asks."""
    shop, _ = await open_faulty(deploy)
    course, student = shop.course(), await shop.student()
    silent = InMemoryPayments(shop.courses)
    assert student.user is not None
    silent.fund(student.user, PRICE)
    faulty = Faulty(silent)
    faulty.after_charge = die
    shop.replace_payments(faulty)

    await buy(student, course, expect=500)
    before = await shop.access(student, course)
    await sweep(shop)
    await sweep(shop)

    assert not before["access"]["allowed"]
    after = await shop.access(student, course)
    assert (len(after["grants"]), after["access"]["allowed"]) == (1, True)
    assert silent.wallet(student.user).balance == 0


async def test_a_purchase_that_was_never_charged_is_given_up(deploy: Deploy) -> None:
    """Until then it stands in the way of another one, after that no longer; nothing was charged."""
    shop, faulty = await open_faulty(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    faulty.before_charge = die
    await buy(student, course, expect=500, key="first")
    faulty.before_charge = lambda: None

    waiting = await buy(student, course, expect=409)
    await sweep(shop)
    given_up = await buy(student, course, expect=409, key="first")

    assert waiting["type"] == "/problems/conflict"
    assert given_up["type"] == "/problems/purchase-failed"
    assert await balance(student) == PRICE
    await buy(student, course)
    assert await balance(student) == 0


async def test_the_same_request_takes_a_dead_purchase_up_again(deploy: Deploy) -> None:
    """Whoever repeats the request does not have to wait for the sweeper, and is charged once."""
    for point in ("before_charge", "after_charge"):
        shop, faulty = await open_faulty(deploy)
        course, student = shop.course(), await shop.student(2 * PRICE)
        setattr(faulty, point, die)
        await buy(student, course, expect=500, key="again")
        setattr(faulty, point, lambda: None)

        await buy(student, course, key="again")
        await shop.settle()

        assert await balance(student) == PRICE
        assert len((await shop.access(student, course))["grants"]) == 1


async def buy_too_late(shop: Shop, faulty: Faulty, student: Client, course: UUID) -> JSON:
    """Buy *course* so slowly that the sweeper gives the purchase up before the money is taken; return the answer."""
    faulty.may_charge.clear()
    late = asyncio.create_task(buy(student, course, expect=409))
    await faulty.asked.wait()
    await sweep(shop)
    faulty.may_charge.set()
    return await late


async def test_a_charge_that_lands_after_its_purchase_was_given_up_goes_back(deploy: Deploy) -> None:
    """The person learns that it came to nothing, and has the money again."""
    shop, faulty = await open_faulty(deploy)
    course, student = shop.course(), await shop.student(PRICE)

    answer = await buy_too_late(shop, faulty, student, course)
    await shop.settle()

    assert answer["type"] == "/problems/purchase-failed"
    assert await balance(student) == PRICE
    assert not (await shop.access(student, course))["access"]["allowed"]
    await buy(student, course)


async def test_a_charge_that_lands_after_its_twin_was_refused_goes_back(deploy: Deploy) -> None:
    """The refusal has freed the key, with which the course is then bought for one price."""
    shop, faulty = await open_faulty(deploy)
    course, student = shop.course(), await shop.student()
    faulty.may_charge.clear()
    late = asyncio.create_task(buy(student, course, expect=409, key="twin"))
    await faulty.asked.wait()
    shop.replace_payments(faulty.real)
    refused = await buy(student, course, expect=409, key="twin")
    await shop.fund(student, PRICE)
    faulty.may_charge.set()

    answer = await late
    await shop.settle()
    await buy(student, course, key="twin")

    assert (refused["type"], answer["type"]) == ("/problems/insufficient-funds", "/problems/purchase-failed")
    assert await balance(student) == 0
    assert len((await shop.access(student, course))["grants"]) == 1


async def test_while_money_goes_back_others_are_served(deploy: Deploy) -> None:
    """However long payments take for it: no transaction waits for them."""
    shop, faulty = await open_faulty(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    faulty.may_refund.clear()
    await buy_too_late(shop, faulty, student, course)
    await faulty.refunding.wait()

    async with asyncio.timeout(2):
        await shop.grant(student, shop.course())

    faulty.may_refund.set()
    await shop.settle()
    assert await balance(student) == PRICE


async def test_money_goes_back_also_after_a_death(deploy: Deploy) -> None:
    """Whatever was decided and not done is found by the next process."""
    shop, faulty = await open_faulty(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    faulty.may_refund.clear()
    await buy_too_late(shop, faulty, student, course)
    await faulty.refunding.wait()
    await shop.deployment.settle()

    await shop.restarted()
    await shop.settle()

    assert await balance(student) == PRICE


async def test_a_refund_of_which_only_the_event_tells_ends_the_access(deploy: Deploy) -> None:
    """Also when payments do not answer at first: it is asked for again."""
    shop, _ = await open_faulty(deploy)
    course, student, real = shop.course(), await shop.student(PRICE), shop.payments()
    receipt = await buy(student, course)
    shop.replace_payments(Unreachable(real))

    await real.refund(UUID(receipt["purchase_id"]), None, key="elsewhere", reason="Sorry.")
    await shop.settle()
    before = await shop.access(student, course)
    shop.replace_payments(real)
    await shop.settle()

    assert before["access"]["allowed"]
    assert (await shop.access(student, course))["access"]["reason"] == "revoked"


async def test_a_purchase_whose_money_went_back_before_the_access_was_given_came_to_nothing(deploy: Deploy) -> None:
    """Nobody is told to have what was taken back meanwhile."""
    shop, _ = await open_faulty(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    shop.replace_payments(Regretted(shop))

    answer = await buy(student, course, expect=409)

    assert answer["type"] == "/problems/purchase-failed"
    assert await balance(student) == PRICE
    # The event of the charge may have been faster than the refund: what it gave was taken again.
    assert not (await shop.access(student, course))["access"]["allowed"]


async def test_a_stuck_purchase_that_can_not_be_asked_about_stays(deploy: Deploy) -> None:
    """Without an answer from payments nothing is decided; the others are not held up."""
    shop, faulty = await open_faulty(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    faulty.after_charge = die
    await buy(student, course, expect=500)
    broken = Unreachable(shop.payments())
    shop.replace_payments(broken)

    await sweep(shop)
    await shop.settle()

    assert (await shop.access(student, course))["access"]["allowed"]


async def test_a_restart_finishes_what_was_under_way(deploy: Deploy) -> None:
    """The events wait for the next process."""
    shop, faulty = await open_faulty(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    faulty.after_charge = die
    await buy(student, course, expect=500)

    await shop.restarted()
    await shop.settle()

    assert (await shop.access(student, course))["access"]["allowed"]


@pytest.mark.postgresql_only
async def test_everybody_who_finishes_a_purchase_at_once_finishes_it_once(deploy: Deploy) -> None:
    """Event, sweepers and a repeated request meet: one grant, one charge."""
    for _ in range(5):
        shop, faulty = await open_faulty(deploy)
        course, student = shop.course(), await shop.student(2 * PRICE)
        faulty.after_charge = die
        await buy(student, course, expect=500, key="again")
        faulty.after_charge = lambda: None

        await asyncio.gather(sweep(shop), sweep(shop), buy(student, course, key="again"), shop.deployment.settle())
        await shop.settle()

        assert await balance(student) == PRICE
        assert len((await shop.access(student, course))["grants"]) == 1
