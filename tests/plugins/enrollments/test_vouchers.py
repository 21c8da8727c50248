"""Vouchers of every kind in buying."""

from __future__ import annotations

import asyncio
import hashlib
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from kernel.database import Query
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from plugins.enrollments.tables import purchases
from tests.plugins.courses.school import somebody
from tests.plugins.enrollments.shop import (
    ENROLLMENTS,
    JSON,
    PRICE,
    PURCHASES,
    Shop,
    balance,
    buy,
    new_key,
    open_shop,
)
from tests.plugins.enrollments.test_faults import die, open_faulty, sweep


class Kept(msgspec.Struct, frozen=True):
    """What is kept of a purchase that a code could stand in."""

    key: str
    request_hash: bytes
    reason: str
    voucher_kind: str


REDEEM = f"{ENROLLMENTS}/vouchers/redeem"


async def order(client: Client, expect: int = 201, key: str | None = None, **body: object) -> JSON:
    """Buy with exactly this *body*; return the answer."""
    headers = {"Idempotency-Key": key} if key else new_key()
    answer: JSON = await client.call("POST", PURCHASES, body, expect=expect, headers=headers)
    return answer


async def redeem(client: Client, code: str, expect: int = 200, key: str | None = None, **body: object) -> JSON:
    """Type *code* into the one field; return the answer."""
    headers = {"Idempotency-Key": key} if key else new_key()
    answer: JSON = await client.call("POST", REDEEM, {"code": code, **body}, expect=expect, headers=headers)
    return answer


async def reason(shop: Shop, student: Client, course: UUID) -> str:
    """Return why the student has access or has not."""
    return str((await shop.access(student, course))["access"]["reason"])


async def test_a_discount_lowers_the_price(deploy: Deploy) -> None:
    """Down to what the voucher says; *expected_total* is the lower price."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    code = await shop.voucher(kind="discount", amount=400)

    refused = await buy(student, course, voucher=code, expected_total=PRICE, expect=409)
    receipt = await buy(student, course, voucher=code.lower(), expected_total=PRICE - 400)

    assert (refused["type"], refused["quote"]["total"]) == ("/problems/price-changed", PRICE - 400)
    assert (receipt["amount"], await balance(student)) == (PRICE - 400, 400)
    assert await reason(shop, student, course) == "purchase"


async def test_a_discount_of_everything_simply_enrols(deploy: Deploy) -> None:
    """With an empty wallet."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student()

    receipt = await buy(student, course, voucher=await shop.voucher(kind="discount", percent=100))

    assert receipt["amount"] == 0
    assert await reason(shop, student, course) == "purchase"


async def test_an_enrolment_by_voucher_says_so(deploy: Deploy) -> None:
    """It needs no course where the voucher is for one alone."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student()

    receipt = await order(student, voucher=await shop.voucher(kind="enrol", course_ids=[str(course)]))

    assert (receipt["course_id"], receipt["amount"]) == (str(course), 0)
    assert await reason(shop, student, course) == "voucher"


async def test_a_course_has_to_be_named_where_it_is_not_plain(deploy: Deploy) -> None:
    """For an enrolment in one of several, for a discount, for a top-up, and without a voucher."""
    shop = await open_shop(deploy)
    first, second, student = shop.course(), shop.course(), await shop.student(PRICE)
    several = await shop.voucher(kind="enrol", course_ids=[str(first), str(second)])

    of_several = await order(student, expect=409, voucher=several)
    discount = await order(student, expect=409, voucher=await shop.voucher(kind="discount", percent=10))
    top_up = await order(student, expect=422, voucher=await shop.voucher(amount=100))
    nothing = await order(student, expect=422)

    for refused in (of_several, discount):
        assert (refused["type"], refused["reason"]) == ("/problems/voucher-refused", "needs-course")
    assert (of_several["kind"], set(of_several["course_ids"])) == ("enrol", {str(first), str(second)})
    assert top_up["errors"][0]["field"] == "body.course_id"
    assert nothing["errors"][0]["field"] == "body"
    assert await balance(student) == PRICE
    await order(student, voucher=several, course_id=str(second))
    assert await reason(shop, student, second) == "voucher"


async def test_a_top_up_is_redeemed_and_the_course_bought(deploy: Deploy) -> None:
    """What is left over stays in the wallet; the same request twice redeems and buys once."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student()
    code = await shop.voucher(amount=PRICE + 100, max_uses=5, max_uses_per_person=5)

    first, again = [await buy(student, course, voucher=code, key="twice") for _ in range(2)]

    assert again == first
    assert (first["amount"], await balance(student)) == (PRICE, 100)
    assert await reason(shop, student, course) == "purchase"


async def test_a_top_up_that_is_too_small_stays_in_the_wallet(deploy: Deploy) -> None:
    """The refusal says so; the same request buys once there is enough, without a second redemption."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student()
    code = await shop.voucher(amount=500)

    short = [await buy(student, course, voucher=code, expect=409, key="short") for _ in range(2)]
    held = await balance(student)
    await shop.fund(student, PRICE - 500)
    await buy(student, course, voucher=code, key="short")

    assert [(one["type"], one["redeemed"], one["balance"]) for one in short] == [
        ("/problems/insufficient-funds", 500, 500)
    ] * 2
    assert short[0]["detail"].endswith("What the voucher brought, 500, is in the wallet.")
    assert (held, await balance(student)) == (500, 0)


async def test_a_top_up_stays_whole_where_nothing_can_be_bought(deploy: Deploy) -> None:
    """Nobody redeems it for a course that is theirs, full or not there."""
    shop = await open_shop(deploy)
    own, full, student = shop.course(0), shop.course(), await shop.student()
    await buy(student, own)
    await shop.limit(full, 0)
    code = await shop.voucher(amount=PRICE)

    await buy(student, own, voucher=code, expect=409)
    await buy(student, full, voucher=code, expect=409)
    await buy(student, UUID(somebody()), voucher=code, expect=404)

    assert await balance(student) == 0
    await redeem(student, code)
    assert await balance(student) == PRICE


async def test_a_refused_voucher_buys_nothing(deploy: Deploy) -> None:
    """Whatever is wrong with it, the reason is passed on, and nothing is charged or used."""
    shop = await open_shop(deploy)
    course, other, student = shop.course(), shop.course(), await shop.student(PRICE)
    used = await shop.voucher(kind="discount", percent=50)
    await buy(await shop.student(PRICE), course, voucher=used)
    elsewhere = await shop.voucher(kind="enrol", course_ids=[str(other)])

    refused = [await buy(student, course, voucher=code, expect=409) for code in ("NO-SUCH-CODE", used, elsewhere)]

    assert {one["type"] for one in refused} == {"/problems/voucher-refused"}
    assert [one["reason"] for one in refused] == ["unknown", "used-up", "other-course"]
    assert await balance(student) == PRICE
    assert not (await shop.access(student, course))["grants"]
    await buy(student, other, voucher=elsewhere)


async def test_a_voucher_that_is_used_up_in_between_frees_the_key_and_the_seat(deploy: Deploy) -> None:
    """The last use went to somebody else after the price was told and before it was charged."""
    shop, faulty = await open_faulty(deploy)
    course, student, faster = shop.course(), await shop.student(PRICE), await shop.student(PRICE)
    code = await shop.voucher(kind="discount", percent=50)
    await shop.limit(course, 2)

    faulty.may_charge.clear()
    late = asyncio.create_task(buy(student, course, voucher=code, expect=409, key="late"))
    await faulty.asked.wait()
    shop.replace_payments(faulty.real)
    await buy(faster, course, voucher=code)
    faulty.may_charge.set()
    refused = await late

    assert (refused["type"], refused["reason"]) == ("/problems/voucher-refused", "used-up")
    assert (await balance(student), await shop.taken(course)) == (PRICE, 1)
    await buy(student, course, key="late")


@pytest.mark.parametrize("point", ["before_charge", "after_charge"])
@pytest.mark.parametrize("kind", ["discount", "enrol", "top-up"])
async def test_the_same_request_takes_a_dead_purchase_up_again(deploy: Deploy, kind: str, point: str) -> None:
    """The voucher is used once and the price charged once, wherever the process died."""
    shop, faulty = await open_faulty(deploy)
    course, student = shop.course(), await shop.student()
    facts: dict[str, JSON] = {
        "discount": {"percent": 100},
        "enrol": {"course_ids": [str(course)]},
        "top-up": {"amount": PRICE},
    }
    code = await shop.voucher(kind=kind, **facts[kind])
    setattr(faulty, point, die)
    await buy(student, course, voucher=code, expect=500, key="again")
    setattr(faulty, point, lambda: None)

    first = await buy(student, course, voucher=code, key="again")
    await shop.settle()
    again = await buy(student, course, voucher=code, key="again")

    assert again == first
    assert await balance(student) == 0
    assert len((await shop.access(student, course))["grants"]) == 1


async def test_a_charge_with_a_voucher_whose_process_dies_gives_the_access_by_its_event(deploy: Deploy) -> None:
    """With the same source as if nobody had died."""
    shop, faulty = await open_faulty(deploy)
    course, student = shop.course(), await shop.student()
    faulty.after_charge = die

    await buy(student, course, voucher=await shop.voucher(kind="enrol", course_ids=[str(course)]), expect=500)
    await shop.settle()

    assert await reason(shop, student, course) == "voucher"


async def test_a_voucher_of_a_purchase_that_was_given_up_can_be_used_again(deploy: Deploy) -> None:
    """Its use goes back when the charge lands too late."""
    shop, faulty = await open_faulty(deploy)
    course, student = shop.course(), await shop.student()
    code = await shop.voucher(kind="enrol", course_ids=[str(course)])
    faulty.may_charge.clear()
    late = asyncio.create_task(buy(student, course, voucher=code, expect=409))
    await faulty.asked.wait()
    await sweep(shop)
    faulty.may_charge.set()

    assert (await late)["type"] == "/problems/purchase-failed"
    await shop.settle()
    await buy(student, course, voucher=code)
    assert await reason(shop, student, course) == "voucher"


async def test_another_code_with_the_same_key_is_another_order(deploy: Deploy) -> None:
    """It is refused, and its voucher not used."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    first, second = [await shop.voucher(kind="discount", percent=50) for _ in range(2)]
    await buy(student, course, voucher=first, key="mine")

    for facts in ({"voucher": second}, {}):
        refused = await buy(student, course, key="mine", expect=422, **facts)
        assert refused["type"] == "/problems/idempotency-key-reused"

    await buy(await shop.student(PRICE), course, voucher=second)


async def test_no_code_is_kept(deploy: Deploy) -> None:
    """Neither in clear nor as a digest that can be made without the deployment's secret."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(PRICE)
    code = await shop.voucher(kind="discount", percent=50)
    await buy(student, course, voucher=code)
    db = shop.deployment.platform.context("enrollments").db

    (row,) = await db.all(Query(sa.select(*(purchases.c[name] for name in Kept.__struct_fields__)), Kept))
    plain = f'{{"course_id":"{course}","expected_total":null}}{code}'.encode()

    assert row.voucher_kind == "discount"
    assert code not in row.key + row.reason
    assert row.request_hash != hashlib.sha256(plain).digest()


async def test_one_field_takes_vouchers_of_every_kind(deploy: Deploy) -> None:
    """A top-up brings credit, an enrolment its course, a discount the course that it was typed for."""
    shop = await open_shop(deploy)
    course, cheaper, student = shop.course(), shop.course(), await shop.student()

    credit = await redeem(student, await shop.voucher(amount=PRICE), course_id=str(cheaper))
    enrolled = await redeem(student, await shop.voucher(kind="enrol", course_ids=[str(course)]))
    bought = await redeem(student, await shop.voucher(kind="discount", amount=900), course_id=str(cheaper))

    assert (credit["credit"]["amount"], credit["receipt"]) == (PRICE, None)
    assert (enrolled["receipt"]["course_id"], enrolled["credit"]) == (str(course), None)
    assert (bought["receipt"]["amount"], await balance(student)) == (PRICE - 900, 900)
    assert [await reason(shop, student, one) for one in (course, cheaper)] == ["voucher", "purchase"]


async def test_one_field_refuses_what_it_can_not_use(deploy: Deploy) -> None:
    """A discount without its course, a wrong course, a price that was not expected; nothing is used by it."""
    shop = await open_shop(deploy)
    course, other, student = shop.course(), shop.course(), await shop.student(PRICE)
    discount = await shop.voucher(kind="discount", percent=50)
    enrol = await shop.voucher(kind="enrol", course_ids=[str(course)])

    bare = await redeem(student, discount, expect=409)
    wrong = await redeem(student, enrol, expect=409, course_id=str(other))
    dear = await redeem(student, discount, expect=409, course_id=str(other), expected_total=1)
    unknown = await redeem(student, "NO-SUCH-CODE", expect=409)

    assert [one["reason"] for one in (bare, wrong, unknown)] == ["needs-course", "other-course", "unknown"]
    assert (dear["type"], dear["quote"]["total"]) == ("/problems/price-changed", PRICE // 2)
    assert await balance(student) == PRICE
    await redeem(student, enrol)
    await redeem(student, discount, course_id=str(other))


async def test_one_field_answers_a_repeat_alike(deploy: Deploy) -> None:
    """Each kind is used once for each key; another request with a key that bought is refused."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student()
    top_up = await shop.voucher(amount=PRICE, max_uses=9, max_uses_per_person=9)
    enrol = await shop.voucher(kind="enrol", course_ids=[str(course)])

    for code in (top_up, enrol):
        first, again = [await redeem(student, code, key=f"key-{code}") for _ in range(2)]
        assert again == first
    reused = await redeem(student, top_up, key=f"key-{enrol}", expect=422)
    missing = await student.call("POST", REDEEM, {"code": top_up}, expect=400)

    assert reused["type"] == "/problems/idempotency-key-reused"
    assert missing["type"] == "/problems/idempotency-key-missing"
    assert await balance(student) == PRICE
    assert len((await shop.access(student, course))["grants"]) == 1


@pytest.mark.parametrize("second", ["top-up", "enrol", "discount"])
@pytest.mark.parametrize("first", ["top-up", "enrol", "discount", "unknown"])
async def test_a_key_is_for_one_code(deploy: Deploy, first: str, second: str) -> None:
    """Whatever the kinds of the two, and whatever came of the first: the second is refused, and not used."""
    shop = await open_shop(deploy)
    one, two, student = shop.course(), shop.course(), await shop.student()
    terms: dict[str, dict[str, object]] = {
        "top-up": {"amount": 500},
        "enrol": {"kind": "enrol", "course_ids": [str(one), str(two)]},
        "discount": {"kind": "discount", "percent": 100},
    }
    used = await shop.voucher(**terms[first]) if first in terms else "NO-SUCH-CODE"
    other = await shop.voucher(**terms[second])
    before = await redeem(student, used, expect=200 if first in terms else 409, key="once", course_id=str(one))
    held = await balance(student)

    refused = await redeem(student, other, expect=422, key="once", course_id=str(two))

    assert refused["type"] == "/problems/idempotency-key-reused"
    assert (await balance(student), await reason(shop, student, two)) == (held, "no-grant")
    if first in terms:
        assert await redeem(student, used, key="once", course_id=str(one)) == before
    await redeem(student, other, course_id=str(two))


@pytest.mark.postgresql_only
async def test_of_codes_with_one_key_at_the_same_moment_one_is_used(deploy: Deploy) -> None:
    """A top-up and an enrolment: the one or the other, never both."""
    shop = await open_shop(deploy)
    for _ in range(10):
        course, student = shop.course(), await shop.student()
        codes = [await shop.voucher(amount=500), await shop.voucher(kind="enrol", course_ids=[str(course)])]

        async def status(code: str, student: Client = student) -> int:
            async with student.post(REDEEM, json={"code": code}, headers={"Idempotency-Key": "once"}) as answer:
                return answer.status

        statuses = await asyncio.gather(*(status(code) for code in codes * 3))

        assert set(statuses) <= {200, 409, 422}
        used = (await balance(student) > 0, (await shop.access(student, course))["access"]["allowed"])
        assert used in ((True, False), (False, True))


async def test_whoever_tries_codes_is_stopped(deploy: Deploy) -> None:
    """Over all routes that take one; buying without a voucher goes on."""
    shop = await open_shop(deploy, voucher_tries_per_person=["3/minute"])
    course, student = shop.course(), await shop.student(PRICE)

    await redeem(student, "GUESS-1", expect=409)
    await buy(student, course, voucher="GUESS-2", expect=409)
    await buy(student, course, voucher="GUESS-3", expect=409)

    await redeem(student, "GUESS-4", expect=429)
    await buy(student, course, voucher="GUESS-5", expect=429)
    await redeem(await shop.student(), "GUESS-6", expect=409)
    await buy(student, course)


async def test_discount_that_lowers_nothing_is_kept_for_another_course(deploy: Deploy) -> None:
    """A voucher for a set price above the price of the course is refused, not used up."""
    shop = await open_shop(deploy)
    student, cheap, dear = await shop.student(PRICE), shop.course(500), shop.course(PRICE)
    code = await shop.voucher(kind="discount", price=999)

    refused = await buy(student, cheap, expect=409, voucher=code)
    await buy(student, dear, voucher=code)

    assert (refused["type"], refused["reason"]) == ("/problems/voucher-refused", "no-discount")
    assert await balance(student) == PRICE - 999
