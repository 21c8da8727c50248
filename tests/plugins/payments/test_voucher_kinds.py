"""Discounts and enrolments: priced by the quote, used by the charge, given back by the refund of all of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kernel import new_id
from kernel.contracts.payments import (
    ChargeConflict,
    InsufficientFunds,
    NothingToRefund,
    VoucherRedeemed,
    VoucherRefused,
    VoucherReturned,
    WalletToppedUp,
)
from kernel.testing.contracts.payments import DeployedPayments
from kernel.testing.contracts.payments.deployed import BASE, REDEEM, fresh_key
from tests.plugins.payments.ledgers import faults, outbox, rows

CHECK = f"{BASE}/vouchers/check"
QUOTE = f"{BASE}/quote"
USES = "SELECT uses FROM vouchers"


async def voucher(bank: DeployedPayments, **terms: object) -> str:
    """Return the code of a discount with these terms, if they say nothing else."""
    (code,) = await bank.vouchers(**{"kind": "discount", **terms})
    return code


async def reason(call: Any) -> str:
    """Return why *call* is refused its voucher."""
    with pytest.raises(VoucherRefused) as refused:
        await call
    return str(refused.value.extensions["reason"])


@pytest.mark.parametrize(
    ("terms", "total", "label"),
    [
        ({"amount": 500}, 1000, "Voucher"),
        ({"amount": 5000}, 0, "Voucher"),
        ({"percent": 15}, 1275, "Voucher (15 %)"),
        ({"price": 990}, 990, "Voucher"),
    ],
)
async def test_discount_is_the_last_line_of_a_quote(
    bank: DeployedPayments, terms: dict[str, object], total: int, label: str
) -> None:
    """It takes off what its terms say, and the lines add up to the total; the code is in no URL."""
    code, course = await voucher(bank, **terms), await bank.offer(1500)

    quote = await bank.person().call("POST", QUOTE, {"course_id": str(course), "voucher": code.lower()})

    assert quote["total"] == total == sum(line["amount"] for line in quote["lines"])
    assert quote["lines"][-1] == {"label": label, "amount": total - 1500, "source": "voucher"}
    assert await rows(bank, USES) == [(0,)]


async def test_top_up_leaves_a_price_as_it_is(bank: DeployedPayments) -> None:
    """It is money: whoever wants to pay with it redeems it first. A charge uses none of it."""
    buyer, course = new_id(), await bank.offer(1500)
    await bank.fund(buyer, 1500)
    (code,) = await bank.vouchers(amount=500)

    quote = await bank.payments.quote(buyer, course, voucher=code)
    charge = await bank.payments.charge(new_id(), buyer, course, quote.total, voucher=code)

    assert (quote.total, [line.source for line in quote.lines]) == (1500, ["list-price"])
    assert (charge.amount, charge.voucher_id) == (1500, None)
    assert (await bank.payments.check(buyer, code)).kind == "top-up"


async def test_quote_without_a_voucher_may_be_asked_for_either_way(bank: DeployedPayments) -> None:
    """Both say the same."""
    person, course = bank.person(), await bank.offer(1500)

    asked = await person.call("POST", QUOTE, {"course_id": str(course)})

    assert asked == await person.call("GET", f"{QUOTE}?course_id={course}")


async def test_charge_uses_the_voucher_that_lowered_its_price(bank: DeployedPayments) -> None:
    """The money and the use are taken together, once for the purchase, and told of."""
    buyer, purchase, course = new_id(), new_id(), await bank.offer(1500)
    await bank.fund(buyer, 4000)
    code = await voucher(bank, amount=500, max_uses=3)
    quote = await bank.payments.quote(buyer, course, voucher=code)

    charge = await bank.payments.charge(purchase, buyer, course, quote.total, voucher=code)
    again = await bank.payments.charge(purchase, buyer, course, quote.total, voucher=code.lower())

    assert again == charge == await bank.payments.find_charge(purchase)
    assert (charge.amount, charge.voucher_id is not None, charge.returned) == (1000, True, False)
    assert await bank.balance(buyer) == 3000
    assert await rows(bank, "SELECT uses FROM vouchers ORDER BY max_uses") == [(1,), (1,)]
    (redeemed,) = [event for event in await outbox(bank, VoucherRedeemed) if event.kind == "discount"]
    assert (redeemed.user_id, redeemed.voucher_id) == (buyer, charge.voucher_id)
    assert (redeemed.purchase_id, redeemed.amount, redeemed.currency) == (purchase, 500, "EUR")
    assert await faults(bank) == []


@pytest.mark.parametrize("terms", [{"percent": 100}, {"price": 0}, {"kind": "enrol"}])
async def test_course_that_a_voucher_pays_for_whole_needs_no_money(
    bank: DeployedPayments, terms: dict[str, object]
) -> None:
    """A charge of nothing uses the voucher, and can be given back once."""
    buyer, purchase, course = new_id(), new_id(), await bank.offer(1500)
    code = await voucher(bank, **terms, course_ids=[str(course)])
    quote = await bank.payments.quote(buyer, course, voucher=code)

    charge = await bank.payments.charge(purchase, buyer, course, quote.total, voucher=code)
    refunded = await bank.payments.refund(purchase, None, key="all", reason="all")

    assert (quote.total, charge.amount, refunded.returned) == (0, 0, True)
    assert await rows(bank, USES) == [(0,)]
    with pytest.raises(NothingToRefund):
        await bank.payments.refund(purchase, None, key="again", reason="again")
    (redeemed,), (returned,) = await outbox(bank, VoucherRedeemed), await outbox(bank, VoucherReturned)
    assert (redeemed.amount, returned.voucher_id, returned.purchase_id) == (1500, charge.voucher_id, purchase)
    assert await outbox(bank, WalletToppedUp) == []
    assert await faults(bank) == []


async def test_charge_without_the_money_uses_nothing(bank: DeployedPayments) -> None:
    """Neither a use nor a redemption nor an event is left of the refusal."""
    buyer, course = new_id(), await bank.offer(1500)
    code = await voucher(bank, amount=500)

    with pytest.raises(InsufficientFunds):
        await bank.payments.charge(new_id(), buyer, course, 1000, voucher=code)

    assert await rows(bank, USES) == [(0,)]
    assert await rows(bank, "SELECT count(*) FROM redemptions") == [(0,)]
    assert await outbox(bank, VoucherRedeemed) == []


async def test_charge_whose_voucher_is_refused_moves_nothing(bank: DeployedPayments) -> None:
    """Unknown, used up or for another course: the money stays."""
    buyer, course = new_id(), await bank.offer(1500)
    await bank.fund(buyer, 4000)
    used, other = await voucher(bank, amount=500), await voucher(bank, amount=500, course_ids=[str(new_id())])
    await bank.payments.charge(new_id(), new_id(), course, 0, voucher=used)

    refusals = [
        await reason(bank.payments.charge(new_id(), buyer, course, 1000, voucher=code))
        for code in ("0000", used, other)
    ]

    assert refusals == ["unknown", "used-up", "other-course"]
    assert await bank.balance(buyer) == 4000
    assert await rows(bank, "SELECT count(*) FROM charges") == [(1,)]


async def test_charge_repeated_with_another_voucher_conflicts(bank: DeployedPayments) -> None:
    """The same purchase with, without or with another voucher is a mistake that moves nothing."""
    buyer, purchase, course = new_id(), new_id(), await bank.offer(1500)
    code, other = await voucher(bank, percent=100), await voucher(bank, percent=100)
    await bank.payments.charge(purchase, buyer, course, 0, voucher=code)

    for typed in (other, "0000", None):
        with pytest.raises(ChargeConflict):
            await bank.payments.charge(purchase, buyer, course, 0, voucher=typed)

    assert await rows(bank, "SELECT sum(uses) FROM vouchers") == [(1,)]


async def test_repeat_is_answered_after_the_voucher_has_ended(bank: DeployedPayments) -> None:
    """What came about stays so, however late a repeat is."""
    buyer, purchase, course = new_id(), new_id(), await bank.offer(1500)
    until = bank.deployment.clock.now() + timedelta(hours=1)
    code = await voucher(bank, percent=100, valid_until=until.isoformat())
    first = await bank.payments.charge(purchase, buyer, course, 0, voucher=code)

    bank.deployment.clock.set(until)

    assert await bank.payments.charge(purchase, buyer, course, 0, voucher=code) == first


async def test_part_of_a_refund_keeps_the_use_and_the_rest_returns_it(bank: DeployedPayments) -> None:
    """Only when nothing of the purchase is left may the person use the voucher again."""
    buyer, purchase, course = new_id(), new_id(), await bank.offer(1500)
    await bank.fund(buyer, 1000)
    code = await voucher(bank, amount=500)
    await bank.payments.charge(purchase, buyer, course, 1000, voucher=code)

    await bank.payments.refund(purchase, 400, key="part", reason="part")
    assert await reason(bank.payments.quote(buyer, course, voucher=code)) == "already-redeemed"
    await bank.payments.refund(purchase, None, key="rest", reason="rest")
    await bank.payments.refund(purchase, None, key="rest", reason="rest")
    await bank.payments.charge(new_id(), buyer, course, 1000, voucher=code)

    assert await rows(bank, "SELECT number FROM redemptions WHERE purchase_id IS NOT NULL ORDER BY number") == [
        (1,),
        (2,),
    ]
    assert await rows(bank, "SELECT count(*) FROM voucher_returns") == [(1,)]
    assert len(await outbox(bank, VoucherReturned)) == 1
    assert await faults(bank) == []


async def test_person_uses_a_voucher_as_often_as_one_may(bank: DeployedPayments) -> None:
    """The cap of each person holds beside that of all."""
    buyer, course = new_id(), await bank.offer(1500)
    code = await voucher(bank, percent=100, max_uses=5, max_uses_per_person=2)
    for _ in range(2):
        await bank.payments.charge(new_id(), buyer, course, 0, voucher=code)

    assert await reason(bank.payments.charge(new_id(), buyer, course, 0, voucher=code)) == "already-redeemed"
    await bank.payments.charge(new_id(), new_id(), course, 0, voucher=code)
    assert await rows(bank, USES) == [(3,)]


@pytest.mark.parametrize("terms", [{"kind": "enrol"}, {"kind": "discount", "percent": 10}])
async def test_voucher_of_a_course_is_not_redeemed_for_credit(bank: DeployedPayments, terms: dict[str, object]) -> None:
    """The refusal says what it is for, so that people can be shown the way."""
    course = await bank.offer(1500)
    code = await voucher(bank, **terms, course_ids=[str(course)])

    problem = await bank.person().call("POST", REDEEM, {"code": code}, expect=409, headers=fresh_key())

    assert (problem["type"], problem["reason"]) == ("/problems/voucher-refused", "needs-course")
    assert (problem["kind"], problem["course_ids"]) == (terms["kind"], [str(course)])
    assert await rows(bank, USES) == [(0,)]


async def test_check_says_what_a_voucher_would_do(bank: DeployedPayments) -> None:
    """Nothing is used, and what would be refused is refused for the same reason."""
    person, course, other = bank.person(), await bank.offer(1500), await bank.offer(1500)
    code = await voucher(bank, kind="enrol", course_ids=[str(course)])

    offer = await person.call("POST", CHECK, {"code": code, "course_id": str(course)})
    problem = await person.call("POST", CHECK, {"code": code, "course_id": str(other)}, expect=409)

    assert (offer["kind"], offer["course_ids"], offer["price"]) == ("enrol", [str(course)], 0)
    assert await person.call("POST", CHECK, {"code": code}) == offer
    assert problem["reason"] == "other-course"
    assert await rows(bank, USES) == [(0,)]
