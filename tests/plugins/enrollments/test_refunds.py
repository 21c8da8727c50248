"""What a refund does to the access, as the institution has it."""

from __future__ import annotations

from uuid import UUID

import pytest

from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from tests.plugins.enrollments.shop import JSON, PRICE, PURCHASES, Shop, balance, buy, new_key, open_shop


async def refund(shop: Shop, receipt: JSON, **facts: object) -> JSON:
    """Give back what was paid; return the charge."""
    path = f"{PURCHASES}/{receipt['purchase_id']}/refund"
    found: JSON = await shop.admin.call("POST", path, {"reason": "Sorry.", **facts}, headers=new_key())
    return found


async def test_a_refund_that_is_asked_for_again_says_so(deploy: Deploy) -> None:
    """The answer to a repeat is the first one, and is marked."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    path, headers = f"{PURCHASES}/{(await buy(student, course))['purchase_id']}/refund", new_key()
    replayed = []
    for _ in range(2):
        async with shop.admin.post(path, json={"reason": "Sorry."}, headers=headers) as answer:
            replayed.append(((await answer.json())["refunded"], answer.headers.get("Idempotency-Replayed")))

    assert replayed == [(PRICE, None), (PRICE, "true")]


async def standing(shop: Shop, student: Client, course: UUID, receipt: JSON) -> tuple[bool, str]:
    """Return whether the student has access, and the state of the purchase."""
    purchase = await student.call("GET", f"{PURCHASES}/{receipt['purchase_id']}")
    return (await shop.access(student, course))["access"]["allowed"], purchase["state"]


@pytest.mark.parametrize(
    ("policy", "after_some", "after_all"),
    [
        ("full", (True, "completed"), (False, "refunded")),
        ("any", (False, "revoked"), (False, "refunded")),
        ("never", (True, "completed"), (True, "refunded")),
    ],
)
async def test_a_refund_ends_the_access_as_it_is_set(
    deploy: Deploy, policy: str, after_some: tuple[bool, str], after_all: tuple[bool, str]
) -> None:
    """When all went back, at any refund, or never; whoever gave the money back."""
    shop = await open_shop(deploy, refund_ends_access=policy)
    course, student = shop.course(), await shop.student(PRICE)
    receipt = await buy(student, course)

    await refund(shop, receipt, amount=900)
    some = await standing(shop, student, course, receipt)
    await shop.payments().refund(UUID(receipt["purchase_id"]), None, key="elsewhere", reason="All.")
    await shop.settle()

    assert some == after_some
    assert await standing(shop, student, course, receipt) == after_all
    assert await balance(student) == PRICE


async def test_what_was_refunded_and_kept_is_not_bought_again(deploy: Deploy) -> None:
    """Where refunds never end the access there is nothing to buy."""
    shop = await open_shop(deploy, refund_ends_access="never")
    course, student = shop.course(), await shop.student(PRICE)
    receipt = await buy(student, course)
    await refund(shop, receipt)

    refused = await buy(student, course, expect=409)

    assert refused["type"] == "/problems/already-enrolled"


async def test_a_course_that_a_voucher_paid_is_refunded_by_giving_its_use_back(deploy: Deploy) -> None:
    """The access ends although no money moved, and the voucher can be used again."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student()
    code = await shop.voucher(kind="discount", percent=100)
    receipt = await buy(student, course, voucher=code)

    charge = await refund(shop, receipt)

    assert (charge["amount"], charge["refunded"], charge["returned"]) == (0, 0, True)
    assert await standing(shop, student, course, receipt) == (False, "refunded")
    await buy(student, course, voucher=code)


async def test_a_free_course_has_nothing_to_refund(deploy: Deploy) -> None:
    """The access stays."""
    shop = await open_shop(deploy)
    course, student = shop.course(0), await shop.student()
    receipt = await buy(student, course)
    path = f"{PURCHASES}/{receipt['purchase_id']}/refund"

    refused = await shop.admin.call("POST", path, {"reason": "?"}, headers=new_key(), expect=409)
    await shop.settle()

    assert refused["type"] == "/problems/nothing-to-refund"
    assert await standing(shop, student, course, receipt) == (True, "completed")
