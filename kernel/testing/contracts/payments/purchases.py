"""Purchases with a voucher: the money and the use are taken together, or neither is."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from kernel import new_id
from kernel.contracts.payments import Charge, ChargeConflict, InsufficientFunds, PurchaseCharged, VoucherRefused
from kernel.testing.contracts.payments.harness import (
    PRICE,
    PaymentsHarness,
    bought_with,
    charged,
    outcomes,
    refusal,
    taken,
    told,
    used,
)


class PurchasesContract:
    """What every provider keeps about charges with a voucher."""

    async def test_charge_uses_its_voucher(self, harness: PaymentsHarness) -> None:
        """The charge names the voucher, and the use is told once with what it took off."""
        buyer, course, purchase = new_id(), await harness.offer(PRICE), new_id()
        code = await harness.voucher(kind="discount", amount=300)
        offer = await harness.payments.check(buyer, code, course)
        await harness.fund(buyer, PRICE)

        charge = await harness.payments.charge(purchase, buyer, course, PRICE - 300, voucher=code)

        assert (charge.amount, charge.voucher_id) == (taken(harness, PRICE - 300), offer.voucher_id)
        assert not charge.returned
        assert await harness.payments.find_charge(purchase) == charge
        assert await harness.balance(buyer) == PRICE - charge.amount
        assert await told(harness, PurchaseCharged) == [charged(charge)]
        uses = await used(harness)
        assert [(use.user_id, use.voucher_id, use.purchase_id) for use in uses] == [(buyer, offer.voucher_id, purchase)]
        assert [(use.kind, use.amount, use.currency) for use in uses] == [
            ("discount", taken(harness, 300), charge.currency)
        ]
        assert await refusal(harness.payments.check(new_id(), code)) == "used-up"

    async def test_charge_of_nothing_uses_its_voucher(self, harness: PaymentsHarness) -> None:
        """Whoever has an enrolment or the whole price off needs no money, and it is told like any purchase."""
        course = await harness.offer(PRICE)
        codes = (
            await harness.voucher(kind="enrol", course_ids=(course,)),
            await harness.voucher(kind="discount", percent=100),
        )

        charges = [await harness.payments.charge(new_id(), new_id(), course, 0, voucher=code) for code in codes]

        assert [charge.amount for charge in charges] == [0, 0]
        assert {event.purchase_id: event for event in await told(harness, PurchaseCharged)} == {
            charge.purchase_id: charged(charge) for charge in charges
        }
        assert {(use.purchase_id, use.voucher_id, use.kind, use.amount) for use in await used(harness)} == {
            (charge.purchase_id, charge.voucher_id, kind, taken(harness, PRICE))
            for charge, kind in zip(charges, ("enrol", "discount"), strict=True)
        }
        assert [await refusal(harness.payments.check(new_id(), code)) for code in codes] == ["used-up", "used-up"]

    async def test_charge_repeated_uses_its_voucher_once(self, harness: PaymentsHarness) -> None:
        """A repeat answers with the charge, also once the voucher is used up and has expired."""
        buyer, course, soon = new_id(), await harness.offer(PRICE), harness.clock.now() + timedelta(hours=1)
        code = await harness.voucher(kind="discount", amount=300, valid_until=soon)
        first = await bought_with(harness, code, user_id=buyer, course_id=course)
        harness.clock.set(soon)

        second = await harness.payments.charge(first.purchase_id, buyer, course, first.amount, voucher=code.lower())

        assert second == first
        assert await harness.balance(buyer) == 0
        assert len(await used(harness)) == len(await told(harness, PurchaseCharged)) == 1

    async def test_charge_repeated_with_another_voucher_conflicts(self, harness: PaymentsHarness) -> None:
        """The voucher is among the values that belong to the key, and so is that there is none."""
        course, amount = await harness.offer(PRICE), PRICE - 300
        code, other = [await harness.voucher(kind="discount", amount=300) for _ in range(2)]
        with_voucher, without = new_id(), new_id()
        buyer = new_id()
        await harness.fund(buyer, 3 * PRICE)
        first = await harness.payments.charge(with_voucher, buyer, course, amount, voucher=code)
        second = await harness.payments.charge(without, buyer, course, amount)

        for purchase, voucher in ((with_voucher, other), (with_voucher, None), (without, other)):
            with pytest.raises(ChargeConflict):
                await harness.payments.charge(purchase, buyer, course, amount, voucher=voucher)

        assert await harness.balance(buyer) == 3 * PRICE - first.amount - second.amount
        assert len(await used(harness)) == 1
        assert (await harness.payments.check(buyer, other)).kind == "discount"

    async def test_charge_over_the_balance_uses_no_voucher(self, harness: PaymentsHarness) -> None:
        """Whoever has too little keeps the voucher for when there is enough."""
        buyer, course = new_id(), await harness.offer(PRICE)
        code = await harness.voucher(kind="discount", amount=300)
        attempt = harness.payments.charge(new_id(), buyer, course, PRICE - 300, voucher=code)

        if not harness.charges_money:
            assert (await attempt).amount == 0
            return
        with pytest.raises(InsufficientFunds):
            await attempt

        assert await used(harness) == []
        await bought_with(harness, code, user_id=buyer, course_id=course)

    async def test_charge_whose_voucher_went_meanwhile_moves_nothing(self, harness: PaymentsHarness) -> None:
        """Between the quote and the charge somebody else may take the last use: then nothing is taken."""
        buyer, course, purchase = new_id(), await harness.offer(PRICE), new_id()
        code = await harness.voucher(kind="discount", amount=300)
        await harness.fund(buyer, PRICE)
        await harness.payments.quote(buyer, course, voucher=code)
        other = await bought_with(harness, code)

        attempt = harness.payments.charge(purchase, buyer, course, PRICE - 300, voucher=code)

        assert await refusal(attempt) == "used-up"
        assert await harness.balance(buyer) == PRICE
        assert await harness.payments.find_charge(purchase) is None
        assert await told(harness, PurchaseCharged) == [charged(other)]

    async def test_charge_by_twins_uses_a_voucher_once(self, harness: PaymentsHarness) -> None:
        """Twenty calls at once for one purchase take the money and the use once, and answer alike."""
        buyer, course, purchase = new_id(), await harness.offer(PRICE), new_id()
        code = await harness.voucher(kind="discount", amount=300, max_uses=9, max_uses_per_person=9)
        await harness.fund(buyer, 2 * PRICE)
        charge = harness.payments.charge

        charges = await asyncio.gather(*(charge(purchase, buyer, course, PRICE - 300, voucher=code) for _ in range(20)))

        assert len(set(charges)) == 1
        assert await harness.balance(buyer) == 2 * PRICE - charges[0].amount
        assert len(await used(harness)) == len(await told(harness, PurchaseCharged)) == 1

    async def test_voucher_with_three_uses_is_used_by_exactly_three_at_once(self, harness: PaymentsHarness) -> None:
        """The cap holds for ten people who buy at once; who is refused has paid nothing."""
        course, buyers = await harness.offer(PRICE), [new_id() for _ in range(10)]
        code = await harness.voucher(kind="discount", price=100, max_uses=3)
        for buyer in buyers:
            await harness.fund(buyer, 100)
        charge = harness.payments.charge

        tried = await outcomes(*(charge(new_id(), buyer, course, 100, voucher=code) for buyer in buyers))

        refused = [one.extensions["reason"] for one in tried if isinstance(one, VoucherRefused)]
        assert refused == ["used-up"] * 7
        assert sum(isinstance(one, Charge) for one in tried) == len(await used(harness)) == 3
        left = [await harness.balance(buyer) for buyer in buyers]
        assert sum(left) == 1000 - taken(harness, 300)

    async def test_person_uses_a_voucher_at_once_only_as_often_as_one_may(self, harness: PaymentsHarness) -> None:
        """Of ten purchases of one person at once, exactly the two that one person may have succeed."""
        buyer, course = new_id(), await harness.offer(PRICE)
        code = await harness.voucher(kind="discount", price=100, max_uses=9, max_uses_per_person=2)
        await harness.fund(buyer, 1000)
        charge = harness.payments.charge

        tried = await outcomes(*(charge(new_id(), buyer, course, 100, voucher=code) for _ in range(10)))

        refused = [one.extensions["reason"] for one in tried if isinstance(one, VoucherRefused)]
        assert refused == ["already-redeemed"] * 8
        assert sum(isinstance(one, Charge) for one in tried) == len(await used(harness)) == 2
        assert await harness.balance(buyer) == 1000 - taken(harness, 200)
