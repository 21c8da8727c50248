"""Charges: money is taken once for each purchase, and never more than there is."""

from __future__ import annotations

import asyncio

import pytest

from kernel import new_id
from kernel.contracts.payments import MAX_AMOUNT, Charge, ChargeConflict, InsufficientFunds, PurchaseCharged
from kernel.testing.contracts.payments.harness import PRICE, PaymentsHarness, charged, outcomes, taken, told


class ChargesContract:
    """What every provider keeps about charges."""

    async def test_charge_takes_the_amount(self, harness: PaymentsHarness) -> None:
        """A charge moves the money, can be found again, and is told once."""
        buyer, course, purchase = new_id(), await harness.offer(PRICE), new_id()
        await harness.fund(buyer, 4000)

        charge = await harness.payments.charge(purchase, buyer, course, PRICE)

        assert (charge.purchase_id, charge.user_id, charge.course_id) == (purchase, buyer, course)
        assert (charge.amount, charge.refunded) == (taken(harness, PRICE), 0)
        assert charge.created_at.tzinfo is not None
        assert await harness.payments.find_charge(purchase) == charge
        assert await harness.balance(buyer) == 4000 - charge.amount
        assert await told(harness, PurchaseCharged) == [charged(charge)]

    async def test_find_charge_of_an_unknown_purchase_is_none(self, harness: PaymentsHarness) -> None:
        """What was never charged has no charge."""
        assert await harness.payments.find_charge(new_id()) is None

    async def test_charge_of_nothing_needs_no_money(self, harness: PaymentsHarness) -> None:
        """What is free can be bought by somebody who never had anything, and is told like any purchase."""
        charge = await harness.payments.charge(new_id(), new_id(), await harness.offer(0), 0)

        assert charge.amount == 0
        assert await harness.payments.find_charge(charge.purchase_id) == charge
        assert await told(harness, PurchaseCharged) == [charged(charge)]

    @pytest.mark.parametrize("amount", [-1, MAX_AMOUNT + 1])
    async def test_charge_out_of_bounds_is_a_mistake_of_the_caller(self, harness: PaymentsHarness, amount: int) -> None:
        """A charge never adds to a wallet, and never moves more than can be counted."""
        buyer = new_id()
        await harness.fund(buyer, 4000)

        with pytest.raises(ValueError, match="out of bounds"):
            await harness.payments.charge(new_id(), buyer, new_id(), amount)

        assert await harness.balance(buyer) == 4000
        assert await told(harness, PurchaseCharged) == []

    @pytest.mark.parametrize("held", [0, PRICE - 1])
    async def test_charge_over_the_balance_moves_nothing(self, harness: PaymentsHarness, held: int) -> None:
        """Whoever has too little, or never had anything, is refused, and nothing is left of the attempt."""
        buyer, purchase, course = new_id(), new_id(), await harness.offer(PRICE)
        if held:
            await harness.fund(buyer, held)
        attempt = harness.payments.charge(purchase, buyer, course, PRICE)

        if not harness.charges_money:
            assert (await attempt).amount == 0
            return
        with pytest.raises(InsufficientFunds):
            await attempt

        assert await harness.balance(buyer) == held
        assert await harness.payments.find_charge(purchase) is None
        assert await told(harness, PurchaseCharged) == []

    async def test_charge_of_a_refused_purchase_succeeds_once_there_is_money(self, harness: PaymentsHarness) -> None:
        """A refusal is not remembered: the same purchase can be tried again."""
        buyer, purchase, course = new_id(), new_id(), await harness.offer(PRICE)
        await outcomes(harness.payments.charge(purchase, buyer, course, PRICE))
        await harness.fund(buyer, PRICE)

        charge = await harness.payments.charge(purchase, buyer, course, PRICE)

        assert charge.amount == taken(harness, PRICE)
        assert await harness.balance(buyer) == PRICE - charge.amount

    async def test_charge_repeated_is_the_same_charge(self, harness: PaymentsHarness) -> None:
        """The purchase is the idempotency key: a repeat answers with the charge and moves nothing."""
        buyer, course, purchase = new_id(), await harness.offer(PRICE), new_id()
        await harness.fund(buyer, PRICE)
        first = await harness.payments.charge(purchase, buyer, course, PRICE)

        second = await harness.payments.charge(purchase, buyer, course, PRICE)

        assert second == first
        assert await harness.balance(buyer) == PRICE - first.amount
        assert await told(harness, PurchaseCharged) == [charged(first)]

    @pytest.mark.parametrize("other", ["user", "course", "amount"])
    async def test_charge_repeated_with_other_values_conflicts(self, harness: PaymentsHarness, other: str) -> None:
        """The same key with other values is a mistake that moves nothing."""
        buyer, course, purchase = new_id(), await harness.offer(PRICE), new_id()
        await harness.fund(buyer, 4000)
        first = await harness.payments.charge(purchase, buyer, course, PRICE)
        stranger = new_id()
        await harness.fund(stranger, 4000)
        values = {
            "user": (stranger, course, PRICE),
            "course": (buyer, new_id(), PRICE),
            "amount": (buyer, course, PRICE + 1),
        }

        with pytest.raises(ChargeConflict):
            await harness.payments.charge(purchase, *values[other])

        assert await harness.payments.find_charge(purchase) == first
        assert [await harness.balance(person) for person in (buyer, stranger)] == [4000 - first.amount, 4000]
        assert len(await told(harness, PurchaseCharged)) == 1

    async def test_charge_by_twins_has_one_effect(self, harness: PaymentsHarness) -> None:
        """Twenty calls at once for one purchase take the money once and answer alike."""
        buyer, course, purchase = new_id(), await harness.offer(PRICE), new_id()
        await harness.fund(buyer, 2 * PRICE)

        charges = await asyncio.gather(*(harness.payments.charge(purchase, buyer, course, PRICE) for _ in range(20)))

        assert len(set(charges)) == 1
        assert await harness.balance(buyer) == 2 * PRICE - charges[0].amount
        assert await told(harness, PurchaseCharged) == [charged(charges[0])]

    async def test_charges_at_once_never_take_more_than_there_is(self, harness: PaymentsHarness) -> None:
        """Of fifty purchases at once with money for five, exactly five succeed."""
        buyer, course = new_id(), await harness.offer(PRICE)
        await harness.fund(buyer, 5 * PRICE)

        tried = await outcomes(*(harness.payments.charge(new_id(), buyer, course, PRICE) for _ in range(50)))

        bought = [charge for charge in tried if isinstance(charge, Charge)]
        refused = [error for error in tried if isinstance(error, InsufficientFunds)]
        assert (len(bought), len(refused)) == ((5, 45) if harness.charges_money else (50, 0))
        assert await harness.balance(buyer) == 5 * PRICE - sum(charge.amount for charge in bought)
        assert len(await told(harness, PurchaseCharged)) == len(bought)
