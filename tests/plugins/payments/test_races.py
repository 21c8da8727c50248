"""Races, released together and repeated: what must happen once happens once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from kernel import new_id
from kernel.contracts.payments import Charge, ChargeRefunded, InsufficientFunds, NothingToRefund, PurchaseCharged
from kernel.testing.contracts.payments import DeployedPayments
from kernel.testing.contracts.payments.deployed import REDEEM, create, fresh_key
from kernel.testing.contracts.payments.harness import outcomes, told
from tests.plugins.payments.ledgers import faults

pytestmark = pytest.mark.postgresql_only  # SQLite lets one writer in at a time

ROUNDS = 20
PRICE = 1000


async def repeat(race: Callable[[], Awaitable[None]]) -> None:
    for _ in range(ROUNDS):
        await race()


async def test_fifty_purchases_with_money_for_five_make_five(bank: DeployedPayments) -> None:
    """The balance is never overdrawn, and what it holds can be spent to the end."""

    async def race() -> None:
        buyer = new_id()
        await bank.fund(buyer, 5 * PRICE)
        tried = await outcomes(*(bank.payments.charge(new_id(), buyer, new_id(), PRICE) for _ in range(50)))
        assert sum(isinstance(one, Charge) for one in tried) == 5
        assert sum(isinstance(one, InsufficientFunds) for one in tried) == 45
        assert await bank.balance(buyer) == 0

    await repeat(race)
    assert len(await told(bank, PurchaseCharged)) == 5 * ROUNDS
    assert await faults(bank) == []


async def test_twenty_twins_of_a_purchase_make_one_charge(bank: DeployedPayments) -> None:
    """Also where the money is enough for one only: each twin is told of the one charge, none of want."""

    async def race() -> None:
        buyer, purchase, course = new_id(), new_id(), new_id()
        await bank.fund(buyer, PRICE)
        charges = await asyncio.gather(*(bank.payments.charge(purchase, buyer, course, PRICE) for _ in range(20)))
        assert len(set(charges)) == 1
        assert await bank.balance(buyer) == 0

    await repeat(race)
    assert len(await told(bank, PurchaseCharged)) == ROUNDS
    assert await faults(bank) == []


async def test_ten_refunds_of_everything_give_back_once(bank: DeployedPayments) -> None:
    """Ten keys, one charge: one refund takes all, nine find nothing left."""

    async def race() -> None:
        buyer, purchase = new_id(), new_id()
        await bank.fund(buyer, PRICE)
        await bank.payments.charge(purchase, buyer, new_id(), PRICE)
        tried = await outcomes(
            *(bank.payments.refund(purchase, None, key=f"{purchase} {n}", reason="race") for n in range(10))
        )
        assert sum(isinstance(one, Charge) for one in tried) == 1
        assert sum(isinstance(one, NothingToRefund) for one in tried) == 9
        assert await bank.balance(buyer) == PRICE

    await repeat(race)
    assert len(await told(bank, ChargeRefunded)) == ROUNDS
    assert await faults(bank) == []


async def test_refunds_charges_and_twins_at_once_do_not_block_each_other(bank: DeployedPayments) -> None:
    """Everything that touches one wallet takes its locks in the same order."""

    async def race() -> None:
        buyer, purchase, course = new_id(), new_id(), new_id()
        await bank.fund(buyer, 5 * PRICE)
        await bank.payments.charge(purchase, buyer, course, PRICE)
        twins = [bank.payments.charge(purchase, buyer, course, PRICE) for _ in range(5)]
        others = [bank.payments.charge(new_id(), buyer, course, PRICE) for _ in range(4)]
        refunds = [bank.payments.refund(purchase, 100, key=f"{purchase} {n}", reason="race") for n in range(5)]
        found = await outcomes(*twins, *others, *refunds)
        assert [one for one in found if not isinstance(one, Charge)] == []
        assert await bank.balance(buyer) == 500

    await repeat(race)
    assert await faults(bank) == []


async def test_voucher_with_seven_uses_gives_seven_of_fifty(bank: DeployedPayments) -> None:
    """The cap is exact: not one use more, and none is lost."""
    administrator = bank.administrator()
    people = [bank.person() for _ in range(50)]

    async def race() -> None:
        (code,) = (await create(administrator, {"count": 1, "amount": PRICE, "max_uses": 7})).codes
        answers = await asyncio.gather(
            *(person.post(REDEEM, json={"code": code}, headers=fresh_key()) for person in people)
        )
        statuses = [answer.status for answer in answers]
        assert (statuses.count(200), statuses.count(409)) == (7, 43)

    for _ in range(ROUNDS // 2):
        await race()
    assert sum([await bank.balance(person.user) for person in people if person.user]) == 7 * PRICE * ROUNDS // 2
    assert await faults(bank) == []


async def test_voucher_withdrawn_in_the_midst_counts_before_or_after(bank: DeployedPayments) -> None:
    """No redemption succeeds after the withdrawal was answered, and none is half done."""
    administrator = bank.administrator()
    people = [bank.person() for _ in range(20)]

    async def race() -> None:
        made = await create(administrator, {"count": 1, "amount": PRICE, "max_uses": 20})
        path = f"/api/v1/payments/voucher-batches/{made.batch.id}/withdraw"
        body = {"code": made.codes[0]}
        *answers, withdrawn = await asyncio.gather(
            *(person.post(REDEEM, json=body, headers=fresh_key()) for person in people),
            administrator.post(path),
        )
        batch = await withdrawn.json()
        redeemed = sum(answer.status == 200 for answer in answers)
        assert {answer.status for answer in answers} <= {200, 409}
        assert redeemed == batch["redeemed"]

    for _ in range(ROUNDS // 2):
        await race()
    assert await faults(bank) == []


async def test_twins_of_a_batch_make_one(bank: DeployedPayments) -> None:
    """Ten requests at once with one key have one answer."""
    administrator, headers, body = bank.administrator(), fresh_key(), {"count": 20, "amount": PRICE}

    answers = await asyncio.gather(
        *(
            administrator.call("POST", "/api/v1/payments/voucher-batches", body, expect=201, headers=headers)
            for _ in range(10)
        )
    )

    assert all(answer == answers[0] for answer in answers)
    assert len((await administrator.call("GET", "/api/v1/payments/voucher-batches"))["items"]) == 1
