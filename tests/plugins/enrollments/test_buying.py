"""Buying courses."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from kernel.contracts.enrollments import ENROLLMENT_POLICY, EnrollmentPolicy, Verdict
from kernel.contracts.enrollments import ENROLLMENTS as CAPABILITY
from kernel.testing.deploying import Deploy
from tests.plugins.courses.school import contributing, somebody
from tests.plugins.enrollments.shop import (
    ENROLLMENTS,
    PRICE,
    PURCHASES,
    balance,
    buy,
    new_key,
    open_shop,
    order,
)


class Policy:
    """Answers what it was made with."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    async def judge(self, user_id: UUID, course_id: UUID) -> Verdict:
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer == "hang":
            await asyncio.sleep(60)
        return self._answer  # type: ignore[return-value]  # what a plugin without a type checker may do


def policy(name: str, answer: object) -> type:
    kept: EnrollmentPolicy = Policy(answer)
    return contributing(name, ENROLLMENT_POLICY, kept)


async def test_buying_takes_the_price_and_gives_access(deploy: Deploy) -> None:
    """Money, grant and receipt belong together."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(5000)

    receipt = await buy(student, course, expected_total=PRICE)

    assert (receipt["course_id"], receipt["amount"], receipt["currency"]) == (str(course), PRICE, "EUR")
    assert await balance(student) == 5000 - PRICE
    explained = await shop.access(student, course)
    assert explained["access"] == {"allowed": True, "reason": "purchase", "until": None}
    assert [one["grant"]["id"] for one in explained["grants"]] == [receipt["grant_id"]]
    assert explained["grants"][0]["grant"]["purchase_id"] == receipt["purchase_id"]


async def test_a_free_course_is_bought_with_an_empty_wallet(deploy: Deploy) -> None:
    """It goes the same way and moves nothing."""
    shop = await open_shop(deploy)
    course, student = shop.course(0), await shop.student()

    receipt = await buy(student, course)

    assert receipt["amount"] == 0
    assert (await shop.access(student, course))["access"]["allowed"]


async def test_too_little_money_buys_nothing(deploy: Deploy) -> None:
    """The purchase failed, whether its key comes again or a new one."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE - 1)

    refused = [await buy(student, course, expect=409, key=key) for key in ("poor", "poor", "other")]

    assert {problem["type"] for problem in refused} == {"/problems/insufficient-funds"}
    assert await balance(student) == PRICE - 1
    assert not (await shop.access(student, course))["access"]["allowed"]


async def test_money_that_came_after_a_refusal_buys_with_the_same_key(deploy: Deploy) -> None:
    """A refusal changed nothing, so its key is free; each refusal tells the balance of its moment."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student()

    empty = await buy(student, course, expect=409, key="poor")
    await shop.fund(student, PRICE - 1)
    short = await buy(student, course, expect=409, key="poor")
    await shop.fund(student, 1)
    receipt = await buy(student, course, key="poor")
    again = await buy(student, course, key="poor")

    assert [empty["balance"], short["balance"]] == [0, PRICE - 1]
    assert again == receipt
    assert await balance(student) == 0
    assert (await shop.access(student, course))["access"]["allowed"]


async def test_a_repeated_purchase_says_that_it_is_one(deploy: Deploy) -> None:
    """The first answer bears no such header."""
    shop = await open_shop(deploy)
    course, student, key = shop.course(), await shop.student(PRICE), new_key()

    replayed = []
    for _ in range(2):
        async with student.post(PURCHASES, json=order(course), headers=key) as answer:
            replayed.append((answer.status, answer.headers.get("Idempotency-Replayed")))

    assert replayed == [(201, None), (201, "true")]


async def test_the_same_request_twice_is_one_purchase(deploy: Deploy) -> None:
    """The second answer is the first one, also after prices and rules have changed."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(3 * PRICE)

    first = await buy(student, course, key="twice", expected_total=PRICE)
    second = await buy(student, course, key="twice", expected_total=PRICE)

    assert second == first
    assert await balance(student) == 2 * PRICE


async def test_a_key_belongs_to_one_order_of_one_person(deploy: Deploy) -> None:
    """Another order with it is refused; another person's key is another key."""
    shop = await open_shop(deploy)
    course, other = shop.course(), shop.course()
    student, friend = await shop.student(3 * PRICE), await shop.student(PRICE)
    await buy(student, course, key="mine")

    refused = await buy(student, other, key="mine", expect=422)
    await buy(friend, course, key="mine")

    assert refused["type"] == "/problems/idempotency-key-reused"
    assert await balance(student) == 2 * PRICE


async def test_a_key_is_required(deploy: Deploy) -> None:
    """Without one a lost answer could lead to a second purchase."""
    shop = await open_shop(deploy)
    student = await shop.student()

    problem = await student.call("POST", PURCHASES, order(shop.course()), expect=400)

    assert problem["type"] == "/problems/idempotency-key-missing"


async def test_what_one_has_is_not_bought_again(deploy: Deploy) -> None:
    """With a new key it is refused, and nothing is charged."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(3 * PRICE)
    await buy(student, course)

    refused = await buy(student, course, expect=409)

    assert refused["type"] == "/problems/already-enrolled"
    assert await balance(student) == 2 * PRICE


async def test_whoever_has_access_for_a_time_may_buy_it_for_good(deploy: Deploy) -> None:
    """A grant without an end makes a purchase useless; one with an end does not."""
    shop = await open_shop(deploy)
    course, given = shop.course(), shop.course()
    student = await shop.student(3 * PRICE)
    await shop.grant(student, course, source="trial", ends_at="2999-01-01T00:00:00Z")
    await shop.grant(student, given)

    await buy(student, given, expect=409)
    await buy(student, course)

    assert (await shop.access(student, course))["access"]["until"] is None


async def test_a_price_that_was_not_expected_is_told_first(deploy: Deploy) -> None:
    """The refusal holds the new quote; nothing is charged."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE)

    refused = await buy(student, course, expect=409, expected_total=PRICE - 1)

    assert refused["type"] == "/problems/price-changed"
    assert refused["quote"]["total"] == PRICE
    assert await balance(student) == PRICE


async def test_only_published_courses_are_sold(deploy: Deploy) -> None:
    """Others answer as if they were not there."""
    shop = await open_shop(deploy)
    student = await shop.student(PRICE)

    for status in ("draft", "in-review", "archived"):
        await buy(student, shop.course(status=status), expect=404)
    await buy(student, UUID(somebody()), expect=404)

    assert await balance(student) == PRICE


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Verdict(allowed=False, reason="The class is full."), "The class is full."),
        (RuntimeError("out of order"), "could not be checked"),
        ("hang", "could not be checked"),
        (None, "could not be checked"),
        (True, "could not be checked"),
    ],
    ids=["refuses", "fails", "hangs", "silent", "vague"],
)
async def test_a_policy_that_does_not_allow_forbids(deploy: Deploy, answer: object, told: str) -> None:
    """Refusal, failure, silence and delay all leave the money where it is, whatever others allow."""
    allowing = policy("allowing", Verdict(allowed=True))
    shop = await open_shop(deploy, policy("other", answer), allowing, policy_timeout=0.2)
    course, student = shop.course(), await shop.student(PRICE)

    refused = await buy(student, course, expect=409)

    assert refused["type"] == "/problems/enrollment-refused"
    assert told in refused["detail"]
    assert await balance(student) == PRICE
    assert not (await shop.access(student, course))["grants"]


async def test_policies_that_all_allow_let_pass(deploy: Deploy) -> None:
    """Every one of them is asked."""
    yes = Verdict(allowed=True)
    shop = await open_shop(deploy, policy("one", yes), policy("two", yes))
    course, student = shop.course(), await shop.student(PRICE)

    await buy(student, course)


async def test_a_purchase_is_seen_by_its_owner_and_administrators(deploy: Deploy) -> None:
    """For others it does not exist."""
    shop = await open_shop(deploy)
    student, other = await shop.student(PRICE), await shop.student()
    receipt = await buy(student, shop.course())
    path = f"{PURCHASES}/{receipt['purchase_id']}"

    shown = await student.call("GET", path)

    assert shown["state"] == "completed"
    assert await shop.admin.call("GET", path) == shown
    await other.call("GET", path, expect=404)
    await other.call("GET", f"{PURCHASES}/{somebody()}", expect=404)


async def test_other_plugins_ask_for_access(deploy: Deploy) -> None:
    """`enrollments/1` says whether and why."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    enrollments = shop.deployment.platform.services.get(CAPABILITY)
    assert student.user is not None

    before = await enrollments.access(student.user, course)
    await buy(student, course)
    after = await enrollments.access(student.user, course)

    assert (before.allowed, before.reason, after.allowed, after.reason) == (False, "no-grant", True, "purchase")


async def test_a_refund_of_the_whole_price_ends_the_access(deploy: Deploy) -> None:
    """Part of the price leaves it; the rest ends it, and the course can be bought again."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    receipt = await buy(student, course)
    path = f"{PURCHASES}/{receipt['purchase_id']}/refund"

    await shop.admin.call("POST", path, {"amount": 900, "reason": "Sorry."}, headers=new_key())
    assert (await shop.access(student, course))["access"]["allowed"]
    headers = new_key()
    ended = await shop.admin.call("POST", path, {"reason": "Very sorry."}, headers=headers)
    again = await shop.admin.call("POST", path, {"reason": "Very sorry."}, headers=headers)

    assert (ended["refunded"], again) == (PRICE, ended)
    assert await balance(student) == PRICE
    assert (await shop.access(student, course))["access"] == {"allowed": False, "reason": "revoked", "until": None}
    assert (await student.call("GET", f"{ENROLLMENTS}/mine"))["items"] == []
    await buy(student, course)


async def test_a_refund_that_payments_made_ends_the_access_too(deploy: Deploy) -> None:
    """Whoever gave the money back, its event reaches the enrolment."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    receipt = await buy(student, course)

    await shop.payments().refund(UUID(receipt["purchase_id"]), None, key="elsewhere", reason="Complaint.")
    await shop.settle()

    assert not (await shop.access(student, course))["access"]["allowed"]
    assert (await student.call("GET", f"{PURCHASES}/{receipt['purchase_id']}"))["state"] == "refunded"


async def test_there_is_nothing_to_refund_twice(deploy: Deploy) -> None:
    """Nor for a purchase that does not exist."""
    shop = await open_shop(deploy)
    student = await shop.student(PRICE)
    receipt = await buy(student, shop.course())
    path = f"{PURCHASES}/{receipt['purchase_id']}/refund"
    await shop.admin.call("POST", path, {"reason": "Sorry."}, headers=new_key())

    await shop.admin.call("POST", path, {"reason": "Sorry."}, headers=new_key(), expect=409)
    await shop.admin.call("POST", f"{PURCHASES}/{somebody()}/refund", {"reason": "?"}, headers=new_key(), expect=404)

    assert await balance(student) == PRICE
