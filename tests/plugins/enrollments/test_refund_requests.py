"""A refund that somebody asks for is finished and its act recorded once, wherever the process dies."""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from kernel.contracts.payments import Charge
from kernel.database import Query
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.courses import InMemoryCoursesPlugin
from plugins.enrollments.tables import refund_requests
from tests.plugins.enrollments.shop import JSON, PRICE, PURCHASES, Shop, balance, buy
from tests.plugins.enrollments.test_acts import WITNESS, acts
from tests.plugins.enrollments.test_faults import Faulty, die, open_faulty, sweep

WHOLE = [({"refunded": 0}, {"refunded": PRICE}, "Sorry.")]


class Written(msgspec.Struct, frozen=True):
    """What is kept of a request."""

    state: str
    actor: UUID | None
    origin: str
    reason: str


class Intruding(Faulty):
    """A provider that gives back 100 in between, when somebody has looked at the charge."""

    async def find_charge(self, purchase_id: UUID) -> Charge | None:
        found = await self.real.find_charge(purchase_id)
        await self.real.refund(purchase_id, 100, key="in between", reason="Noise.")
        return found


async def refund(
    shop: Shop, purchase: object, expect: int = 200, *, key: str = "key", client: Client | None = None, **facts: object
) -> JSON:
    """Ask for a refund; return the answer."""
    path, headers = f"{PURCHASES}/{purchase}/refund", {"Idempotency-Key": key}
    body = {"reason": "Sorry.", **facts}
    found: JSON = await (client or shop.admin).call("POST", path, body, headers=headers, expect=expect)
    return found


async def sold(deploy: Deploy) -> tuple[Shop, Faulty, Client, UUID, str]:
    """Return a shop whose processes can die, a student, a course that the student has bought, and the purchase."""
    shop, faulty = await open_faulty(deploy, WITNESS)
    course, student = shop.course(), await shop.student(PRICE)
    return shop, faulty, student, course, (await buy(student, course))["purchase_id"]


async def told(shop: Shop) -> list[tuple[object, object, str]]:
    """Return what the acts say of the refunds."""
    return [(act.before, act.after, act.reason) for act in await acts(shop)]


async def written(shop: Shop) -> list[Written]:
    """Return what is kept of the requests."""
    columns = (refund_requests.c[name] for name in Written.__struct_fields__)
    return await shop.deployment.platform.context("enrollments").db.all(Query(sa.select(*columns), Written))


@pytest.mark.parametrize("point", ["before_refund", "after_refund"])
@pytest.mark.parametrize("by", ["the sweeper", "the same request"])
async def test_a_refund_whose_process_dies_is_finished_and_recorded_once(deploy: Deploy, point: str, by: str) -> None:
    """By whoever comes first; who comes after finds it done."""
    shop, faulty, student, course, purchase = await sold(deploy)
    setattr(faulty, point, die)
    await refund(shop, purchase, expect=500)
    setattr(faulty, point, lambda: None)
    assert await told(shop) == []

    if by == "the sweeper":
        await sweep(shop)
    charge = await refund(shop, purchase)
    await sweep(shop)

    assert await told(shop) == WHOLE
    assert (charge["refunded"], await balance(student)) == (PRICE, PRICE)
    assert not (await shop.access(student, course))["access"]["allowed"]


async def test_a_restart_finishes_a_refund_that_was_under_way(deploy: Deploy) -> None:
    """It is recorded by whom and from where it was asked for, though nobody asks again."""
    shop, faulty, student, _, purchase = await sold(deploy)
    faulty.after_refund = die
    await refund(shop, purchase, expect=500, amount=900)
    (asked,) = await written(shop)

    await shop.deployment.restart("payments", "enrollments", plugins=(InMemoryCoursesPlugin, WITNESS))
    await sweep(shop)

    (found,) = await acts(shop)
    assert (found.actor, found.origin, found.reason) == (shop.admin.user, asked.origin, "Sorry.")
    assert asked.origin
    assert (found.before, found.after) == ({"refunded": 0}, {"refunded": 900})
    assert await balance(student) == 900


async def test_of_a_refund_that_was_refused_nothing_is_recorded(deploy: Deploy) -> None:
    """Neither when it is asked for nor later, and the sweeper has nothing to do with it."""
    shop, _, student, _, purchase = await sold(deploy)

    for _ in range(2):
        refused = await refund(shop, purchase, expect=409, amount=PRICE + 1)
        assert refused["type"] == "/problems/nothing-to-refund"
    await sweep(shop)

    assert await told(shop) == []
    assert [one.state for one in await written(shop)] == ["refused"]
    assert await balance(student) == 0


async def test_a_refund_that_is_refused_after_a_death_is_not_tried_for_ever(deploy: Deploy) -> None:
    """Somebody else has given the money back meanwhile."""
    shop, faulty, student, _, purchase = await sold(deploy)
    faulty.before_refund = die
    await refund(shop, purchase, expect=500)
    faulty.before_refund = lambda: None
    await faulty.real.refund(UUID(purchase), None, key="elsewhere", reason="All.")

    await sweep(shop)

    assert [one.state for one in await written(shop)] == ["refused"]
    assert await told(shop) == []
    assert await balance(student) == PRICE


async def test_who_has_asked_is_forgotten_once_it_is_told(deploy: Deploy) -> None:
    """The log of acts holds it; here no second place is needed."""
    shop, _, _, _, purchase = await sold(deploy)

    await refund(shop, purchase)

    assert await written(shop) == [Written("given", None, "", "")]


async def test_the_key_of_a_refund_is_for_one_request(deploy: Deploy) -> None:
    """Another amount or reason with it is refused, whatever became of the first; nothing moves."""
    shop, _, student, _, purchase = await sold(deploy)
    await refund(shop, purchase, amount=900)
    await refund(shop, purchase, key="too-much", amount=PRICE, expect=409)

    for key, facts in (("key", {"amount": 100}), ("key", {"amount": 900, "reason": "x"}), ("too-much", {"amount": 1})):
        refused = await refund(shop, purchase, key=key, expect=422, **facts)
        assert refused["type"] == "/problems/idempotency-key-reused"

    assert await balance(student) == 900


async def test_an_act_tells_what_the_refund_found_and_left(deploy: Deploy) -> None:
    """Also where other money went back after somebody looked and before the refund."""
    shop, faulty, student, _, purchase = await sold(deploy)
    shop.replace_payments(Intruding(faulty.real))

    await refund(shop, purchase, amount=900)

    assert await told(shop) == [({"refunded": 100}, {"refunded": 1000}, "Sorry.")]
    assert await balance(student) == 1000


async def test_all_that_is_left_is_what_was_left_when_it_was_asked_for(deploy: Deploy) -> None:
    """Where less is left by then, the refund is refused and says how much."""
    shop, faulty, student, _, purchase = await sold(deploy)
    shop.replace_payments(Intruding(faulty.real))

    refused = await refund(shop, purchase, expect=409)
    shop.replace_payments(faulty.real)
    await refund(shop, purchase, key="again")

    assert refused["type"] == "/problems/nothing-to-refund"
    assert refused["detail"].startswith(f"At most {PRICE - 100} of {PRICE} EUR")
    assert await told(shop) == [({"refunded": 100}, {"refunded": PRICE}, "Sorry.")]
    assert await balance(student) == PRICE


@pytest.mark.postgresql_only
async def test_everybody_who_finishes_a_refund_at_once_records_it_once(deploy: Deploy) -> None:
    """Repeated requests and sweepers meet."""
    for _ in range(5):
        shop, faulty, student, _, purchase = await sold(deploy)
        faulty.after_refund = die
        await refund(shop, purchase, expect=500)
        faulty.after_refund = lambda: None

        repeats = [refund(shop, purchase) for _ in range(4)]
        await asyncio.gather(sweep(shop), sweep(shop), *repeats, shop.deployment.settle())

        assert await told(shop) == WHOLE
        assert await balance(student) == PRICE
