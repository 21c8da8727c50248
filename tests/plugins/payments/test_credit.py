"""Refundable and promotional credit: what was given away is spent first, and goes back last."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
import sqlalchemy as sa

from kernel import new_id
from kernel.contracts.audit import ActRecorded
from kernel.contracts.payments import Charge, ChargeRefunded, NothingToRefund
from kernel.testing.contracts.payments import DeployedPayments
from kernel.testing.contracts.payments.deployed import BASE, fresh_key
from kernel.testing.contracts.payments.harness import outcomes, told
from plugins.payments.refunds import Wish, amount_of, promotional_of
from tests.plugins.payments.ledgers import adjust, change, faults, outbox, rows


async def held(bank: DeployedPayments, person: UUID) -> tuple[int, int]:
    """Return the refundable and the promotional credit of a person."""
    wallet = await bank.person(person).call("GET", f"{BASE}/wallet")
    return wallet["refundable"], wallet["promotional"]


async def buy(bank: DeployedPayments, refundable: int, promotional: int, price: int) -> Charge:
    """Let somebody with so much of each credit buy something."""
    person = new_id()
    for credit, amount in (("refundable", refundable), ("promotional", promotional)):
        if amount:
            await adjust(bank, person, amount, credit)
    return await bank.payments.charge(new_id(), person, new_id(), price)


@pytest.mark.parametrize(
    ("refundable", "promotional", "price", "taken", "left"),
    [
        (1000, 0, 400, 0, (600, 0)),
        (1000, 500, 400, 400, (1000, 100)),
        (1000, 500, 500, 500, (1000, 0)),
        (1000, 500, 800, 500, (700, 0)),
        (0, 500, 500, 500, (0, 0)),
    ],
)
async def test_charge_takes_promotional_credit_first(
    bank: DeployedPayments, refundable: int, promotional: int, price: int, taken: int, left: tuple[int, int]
) -> None:
    """Then the refundable; the charge says how much of it was which, also when it is read again."""
    charge = await buy(bank, refundable, promotional, price)

    assert charge.promotional == taken
    assert await bank.payments.find_charge(charge.purchase_id) == charge
    assert await held(bank, charge.user_id) == left
    assert await faults(bank) == []


async def test_refund_goes_back_the_way_it_came(bank: DeployedPayments) -> None:
    """What was taken last goes back first: the refundable part, then the promotional one, to the last unit."""
    charge = await buy(bank, 1000, 500, 800)
    after = []

    for amount in (100, 250, 449, None):
        await bank.payments.refund(charge.purchase_id, amount, key=f"{amount}", reason="part")
        after.append(await held(bank, charge.user_id))

    assert after == [(800, 0), (1000, 50), (1000, 499), (1000, 500)]
    sums = await rows(bank, "SELECT sum(amount), sum(promotional) FROM entries WHERE account LIKE 'course:%'")
    assert sums == [(0, 0)]
    assert await faults(bank) == []


@pytest.mark.parametrize(
    ("amount", "promotional", "refunded", "back"),
    [
        (800, 500, 0, 0),
        (800, 500, 300, 0),
        (800, 500, 301, 1),
        (800, 500, 800, 500),
        (500, 500, 1, 1),
        (800, 0, 800, 0),
    ],
)
def test_promotional_part_of_what_went_back(amount: int, promotional: int, refunded: int, back: int) -> None:
    """Nothing of it until all of the refundable part is back."""
    assert promotional_of(amount, promotional, refunded) == back


@pytest.mark.parametrize(("amount", "voucher", "returned"), [(0, False, False), (0, True, True), (500, True, True)])
def test_of_what_is_returned_nothing_is_left(amount: int, voucher: bool, returned: bool) -> None:
    """Nor of what was free without a voucher: there was nothing."""
    wish = Wish(purchase_id=new_id(), amount=None, key="all", reason="all")
    charge = Charge(
        id=new_id(),
        purchase_id=wish.purchase_id,
        user_id=new_id(),
        course_id=new_id(),
        amount=amount,
        currency="EUR",
        refunded=amount,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        voucher_id=new_id() if voucher else None,
        returned=returned,
    )

    with pytest.raises(NothingToRefund):
        amount_of(wish, charge)


async def test_charge_is_returned_when_nothing_is_left_of_it(bank: DeployedPayments) -> None:
    """The refund that completes it says so, and none before."""
    charge = await buy(bank, 1000, 0, 800)

    part = await bank.payments.refund(charge.purchase_id, 300, key="part", reason="part")
    rest = await bank.payments.refund(charge.purchase_id, 500, key="rest", reason="rest")
    again = await bank.payments.refund(charge.purchase_id, 300, key="part", reason="part")

    assert (part.returned, rest.returned, again.returned) == (False, True, False)
    assert [(event.amount, event.returned) for event in await told(bank, ChargeRefunded)] == [(300, False), (500, True)]


async def free_by_voucher(bank: DeployedPayments) -> UUID:
    """Return a purchase that a voucher paid for whole."""
    course = await bank.offer(1500)
    code = await bank.voucher(kind="enrol", course_ids=[str(course)])
    charge = await bank.payments.charge(new_id(), new_id(), course, 0, voucher=code)
    return charge.purchase_id


async def test_charge_that_a_voucher_paid_is_returned_once(bank: DeployedPayments) -> None:
    """No money goes back, the use of the voucher does; a repeat is answered alike, and another finds nothing left."""
    purchase = await free_by_voucher(bank)

    for amount, key in ((1, "one"), (None, "all"), (None, "all"), (None, "again")):
        call = bank.payments.refund(purchase, amount, key=key, reason="back")
        if key == "all":
            charge = await call
            assert (charge.refunded, charge.returned) == (0, True)
        else:
            with pytest.raises(NothingToRefund):
                await call

    (event,) = await told(bank, ChargeRefunded)
    assert (event.amount, event.returned) == (0, True)
    assert await rows(bank, "SELECT count(*) FROM transfers") == [(0,)]
    assert await faults(bank) == []


async def test_charge_that_a_voucher_paid_is_returned_once_by_many(bank: DeployedPayments) -> None:
    """Twins are answered alike although there is no wallet to wait for each other at; others find nothing left."""
    purchase = await free_by_voucher(bank)
    keys = ["twin"] * 5 + [f"other {number}" for number in range(5)]

    refund = bank.payments.refund
    tried = await outcomes(*(refund(purchase, None, key=key, reason="race") for key in keys))

    given = [one for one in tried if isinstance(one, Charge)]
    assert len(given) in (1, 5)
    assert len(given) + sum(isinstance(one, NothingToRefund) for one in tried) == 10
    assert len(await told(bank, ChargeRefunded)) == 1


@pytest.mark.postgresql_only
async def test_promotional_credit_is_spent_once_by_purchases_at_once(bank: DeployedPayments) -> None:
    """However many share a statement or wait for each other, what they took adds up to what there was."""
    person = new_id()
    await adjust(bank, person, 1000)
    await adjust(bank, person, 500, "promotional")

    charges = await asyncio.gather(*(bank.payments.charge(new_id(), person, new_id(), 70) for _ in range(20)))

    assert sum(charge.promotional for charge in charges) == 500
    assert await held(bank, person) == (100, 0)
    assert await faults(bank) == []


async def test_refund_by_an_administrator_is_told_to_the_audit_log(bank: DeployedPayments) -> None:
    """Once for each, with what had gone back before and after; what the platform refunds by itself is none."""
    charge = await buy(bank, 1000, 0, 800)
    await bank.payments.refund(charge.purchase_id, 100, key="platform", reason="by itself")
    administrator, path = bank.administrator(), f"{BASE}/charges/{charge.purchase_id}/refunds"
    headers = fresh_key()

    for _ in range(2):
        await administrator.call("POST", path, {"amount": 300, "reason": "sorry"}, headers=headers)

    (act,) = [one for one in await outbox(bank, ActRecorded) if one.action == "payments.refund_charge"]
    assert (act.subject, act.actor, act.reason) == (f"purchase:{charge.purchase_id}", administrator.user, "sorry")
    assert act.before == {"refunded": 100}
    assert act.after == {"refunded": 400}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wallets SET promotional = balance + 1",
        "UPDATE wallets SET promotional = -1",
        "UPDATE charges SET promotional = amount + 1",
        "UPDATE charges SET returned = TRUE",
        "UPDATE charges SET refunded = amount",
    ],
)
async def test_database_refuses_what_would_break_a_rule_of_credit(bank: DeployedPayments, statement: str) -> None:
    """The rules stand in the database, below every mistake of ours."""
    await buy(bank, 1000, 500, 800)

    with pytest.raises(sa.exc.IntegrityError):
        await change(bank, statement)
