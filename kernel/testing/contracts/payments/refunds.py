"""Refunds: money goes back once for each key, and never more than was taken."""

from __future__ import annotations

import asyncio

import pytest

from kernel import new_id
from kernel.contracts.payments import Charge, ChargeConflict, ChargeRefunded, NothingToRefund
from kernel.testing.contracts.payments.harness import (
    PRICE,
    PaymentsHarness,
    bought,
    given_back,
    outcomes,
    refuses_every_refund,
    told,
)


class RefundsContract:
    """What every provider keeps about refunds."""

    async def test_refund_gives_everything_back(self, harness: PaymentsHarness) -> None:
        """A refund without an amount is of all that is left, once."""
        charge = await bought(harness)
        if not harness.charges_money:
            await refuses_every_refund(harness, charge)
            return

        refunded = await harness.payments.refund(charge.purchase_id, None, key="all", reason="changed my mind")

        assert (refunded.id, refunded.amount, refunded.refunded, refunded.returned) == (charge.id, PRICE, PRICE, True)
        assert await harness.payments.find_charge(charge.purchase_id) == refunded
        assert await harness.balance(charge.user_id) == PRICE
        assert await told(harness, ChargeRefunded) == [given_back(charge, PRICE, "changed my mind", returned=True)]
        with pytest.raises(NothingToRefund):
            await harness.payments.refund(charge.purchase_id, None, key="again", reason="once more")

    async def test_refunds_in_parts_add_up_to_no_more_than_the_charge(self, harness: PaymentsHarness) -> None:
        """Parts go back one by one; a part over the rest moves nothing."""
        charge = await bought(harness)
        if not harness.charges_money:
            await refuses_every_refund(harness, charge, 1000, 500)
            return

        first = await harness.payments.refund(charge.purchase_id, 1000, key="first", reason="part")
        with pytest.raises(NothingToRefund):
            await harness.payments.refund(charge.purchase_id, PRICE - 999, key="too much", reason="part")
        rest = await harness.payments.refund(charge.purchase_id, None, key="rest", reason="part")

        assert (first.refunded, rest.refunded) == (1000, PRICE)
        assert await harness.balance(charge.user_id) == PRICE
        assert [event.amount for event in await told(harness, ChargeRefunded)] == [1000, PRICE - 1000]

    async def test_refund_repeated_has_its_first_outcome(self, harness: PaymentsHarness) -> None:
        """The key makes a repeat harmless, also after other refunds."""
        charge = await bought(harness)
        if not harness.charges_money:
            await refuses_every_refund(harness, charge, 500)
            return
        first = await harness.payments.refund(charge.purchase_id, 500, key="half", reason="part")
        await harness.payments.refund(charge.purchase_id, None, key="rest", reason="part")

        second = await harness.payments.refund(charge.purchase_id, 500, key="half", reason="part")

        assert second == first
        assert await harness.balance(charge.user_id) == PRICE
        assert len(await told(harness, ChargeRefunded)) == 2

    async def test_refund_repeated_with_other_values_conflicts(self, harness: PaymentsHarness) -> None:
        """A key belongs to one refund, of whichever purchase."""
        charge, other = await bought(harness), await bought(harness)
        if not harness.charges_money:
            await refuses_every_refund(harness, charge, 500)
            return
        await harness.payments.refund(charge.purchase_id, 500, key="half", reason="part")

        for purchase, amount in ((charge.purchase_id, 501), (charge.purchase_id, None), (other.purchase_id, 500)):
            with pytest.raises(ChargeConflict):
                await harness.payments.refund(purchase, amount, key="half", reason="part")

        assert [await harness.balance(person) for person in (charge.user_id, other.user_id)] == [500, 0]
        assert len(await told(harness, ChargeRefunded)) == 1

    async def test_refunds_at_once_never_give_back_more_than_was_taken(self, harness: PaymentsHarness) -> None:
        """Of ten refunds at once of a half each, exactly two succeed; of ten twins, one moves money."""
        charge = await bought(harness)
        if not harness.charges_money:
            await refuses_every_refund(harness, charge, *range(1, 11))
            return
        refund = harness.payments.refund

        tried = await outcomes(
            *(refund(charge.purchase_id, PRICE // 2, key=f"half {n}", reason="race") for n in range(10))
        )

        assert sum(isinstance(one, Charge) for one in tried) == 2
        assert sum(isinstance(one, NothingToRefund) for one in tried) == 8
        assert await harness.balance(charge.user_id) == PRICE
        assert len(await told(harness, ChargeRefunded)) == 2

    async def test_refund_by_twins_has_one_effect(self, harness: PaymentsHarness) -> None:
        """Ten calls at once with one key give back once and answer alike."""
        charge = await bought(harness)
        if not harness.charges_money:
            await refuses_every_refund(harness, charge)
            return

        refunds = await asyncio.gather(
            *(harness.payments.refund(charge.purchase_id, 500, key="twin", reason="race") for _ in range(10))
        )

        assert len(set(refunds)) == 1
        assert await harness.balance(charge.user_id) == 500
        assert len(await told(harness, ChargeRefunded)) == 1

    async def test_refund_of_nothing_is_refused(self, harness: PaymentsHarness) -> None:
        """There is nothing to refund of what was never charged or was free."""
        free = await harness.payments.charge(new_id(), new_id(), await harness.offer(0), 0)

        for purchase in (new_id(), free.purchase_id):
            with pytest.raises(NothingToRefund):
                await harness.payments.refund(purchase, None, key=f"of {purchase}", reason="nothing")

        assert await told(harness, ChargeRefunded) == []

    @pytest.mark.parametrize("amount", [0, -1])
    async def test_refund_out_of_bounds_is_a_mistake_of_the_caller(self, harness: PaymentsHarness, amount: int) -> None:
        """A refund never takes from a wallet."""
        charge = await bought(harness)

        with pytest.raises(ValueError, match="out of bounds"):
            await harness.payments.refund(charge.purchase_id, amount, key="wrong", reason="wrong")

        assert await harness.payments.find_charge(charge.purchase_id) == charge

    async def test_charge_repeated_after_its_refund_takes_nothing(self, harness: PaymentsHarness) -> None:
        """A purchase is charged once, even if its money went back."""
        charge = await bought(harness)
        if not harness.charges_money:
            await refuses_every_refund(harness, charge)
            return
        refunded = await harness.payments.refund(charge.purchase_id, None, key="all", reason="undo")

        again = await harness.payments.charge(charge.purchase_id, charge.user_id, charge.course_id, PRICE)

        assert again == refunded
        assert await harness.balance(charge.user_id) == PRICE
