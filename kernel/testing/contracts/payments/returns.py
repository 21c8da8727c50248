"""Returns: a purchase that goes back whole gives the use of its voucher back, exactly once."""

from __future__ import annotations

import asyncio

import pytest

from kernel import new_id
from kernel.contracts.payments import Charge, ChargeConflict, ChargeRefunded, NothingToRefund, VoucherReturned
from kernel.testing.contracts.payments.harness import (
    PRICE,
    PaymentsHarness,
    bought_with,
    given_back,
    outcomes,
    refusal,
    taken,
    told,
    used,
)


class ReturnsContract:
    """What every provider keeps about vouchers of purchases that are undone."""

    async def test_whole_return_gives_the_use_back(self, harness: PaymentsHarness) -> None:
        """The voucher can be used again, by the same person too, and both facts are told."""
        code = await harness.voucher(kind="discount", amount=300)
        charge = await bought_with(harness, code)

        returned = await harness.payments.refund(charge.purchase_id, None, key="all", reason="changed my mind")

        assert (returned.id, returned.refunded, returned.returned) == (charge.id, charge.amount, True)
        assert await harness.payments.find_charge(charge.purchase_id) == returned
        assert await harness.balance(charge.user_id) == charge.amount
        assert await told(harness, ChargeRefunded) == [
            given_back(charge, charge.amount, "changed my mind", returned=True)
        ]
        batches = [use.batch_id for use in await used(harness)]
        assert [
            (event.user_id, event.voucher_id, event.purchase_id, [event.batch_id])
            for event in await told(harness, VoucherReturned)
        ] == [(charge.user_id, charge.voucher_id, charge.purchase_id, batches)]
        await bought_with(harness, code, user_id=charge.user_id)

    async def test_only_the_last_part_gives_the_use_back(self, harness: PaymentsHarness) -> None:
        """As long as something of the charge is left, its voucher stays used."""
        code = await harness.voucher(kind="discount", amount=300)
        charge = await bought_with(harness, code)
        if not harness.charges_money:
            with pytest.raises(NothingToRefund):
                await harness.payments.refund(charge.purchase_id, 1000, key="part", reason="part")
            return

        part = await harness.payments.refund(charge.purchase_id, 1000, key="part", reason="part")
        between = await refusal(harness.payments.check(new_id(), code))
        rest = await harness.payments.refund(charge.purchase_id, PRICE - 1300, key="rest", reason="rest")

        assert (part.returned, rest.returned, between) == (False, True, "used-up")
        assert await told(harness, ChargeRefunded) == [
            given_back(charge, 1000, "part", returned=False),
            given_back(charge, PRICE - 1300, "rest", returned=True),
        ]
        assert len(await told(harness, VoucherReturned)) == 1
        await bought_with(harness, code)

    async def test_return_repeated_gives_back_one_use(self, harness: PaymentsHarness) -> None:
        """Neither the same key nor another one gives back the use of somebody else."""
        code = await harness.voucher(kind="discount", amount=300, max_uses=2)
        charge, _other = await bought_with(harness, code), await bought_with(harness, code)
        first = await harness.payments.refund(charge.purchase_id, None, key="all", reason="undo")

        again = await harness.payments.refund(charge.purchase_id, None, key="all", reason="undo")
        with pytest.raises(NothingToRefund):
            await harness.payments.refund(charge.purchase_id, None, key="another", reason="undo")

        assert again == first
        assert len(await told(harness, VoucherReturned)) == len(await told(harness, ChargeRefunded)) == 1
        await bought_with(harness, code)
        assert await refusal(harness.payments.check(new_id(), code)) == "used-up"

    async def test_returns_at_once_give_back_one_use(self, harness: PaymentsHarness) -> None:
        """Of ten calls at once with keys of their own one succeeds."""
        charge = await one_of_three(harness)
        refund = harness.payments.refund

        tried = await outcomes(*(refund(charge.purchase_id, None, key=f"{n}", reason="race") for n in range(10)))

        assert sum(isinstance(answer, Charge) for answer in tried) == 1
        assert sum(isinstance(answer, NothingToRefund) for answer in tried) == 9
        assert await harness.balance(charge.user_id) == charge.amount
        assert [event.purchase_id for event in await told(harness, VoucherReturned)] == [charge.purchase_id]

    async def test_return_by_twins_gives_back_one_use(self, harness: PaymentsHarness) -> None:
        """Ten calls at once with one key give back once and answer alike."""
        charge = await one_of_three(harness)
        refund = harness.payments.refund

        answers = await asyncio.gather(
            *(refund(charge.purchase_id, None, key="twin", reason="race") for _ in range(10))
        )

        assert len(set(answers)) == 1
        assert await harness.balance(charge.user_id) == charge.amount
        assert [event.purchase_id for event in await told(harness, VoucherReturned)] == [charge.purchase_id]

    async def test_charge_of_nothing_with_a_voucher_goes_back_once(self, harness: PaymentsHarness) -> None:
        """There is no money in it, and yet a use that goes back; an amount is more than is left of it."""
        course = await harness.offer(PRICE)
        code = await harness.voucher(kind="enrol", course_ids=(course,))
        charge = await bought_with(harness, code, course_id=course)
        refund = harness.payments.refund
        with pytest.raises(NothingToRefund):
            await refund(charge.purchase_id, 1, key="one cent", reason="wrong")

        returned = await refund(charge.purchase_id, None, key="all", reason="undo")
        again = await refund(charge.purchase_id, None, key="all", reason="undo")

        assert (returned.amount, returned.refunded, returned.returned) == (0, 0, True)
        assert again == returned
        assert await told(harness, ChargeRefunded) == [given_back(charge, 0, "undo", returned=True)]
        with pytest.raises(ChargeConflict):
            await refund(charge.purchase_id, 1, key="all", reason="undo")
        with pytest.raises(NothingToRefund):
            await refund(charge.purchase_id, None, key="another", reason="undo")
        assert len(await told(harness, VoucherReturned)) == 1

    async def test_key_of_a_return_belongs_to_its_purchase(self, harness: PaymentsHarness) -> None:
        """The same key for another purchase is a mistake that gives nothing back."""
        code = await harness.voucher(kind="discount", percent=100, max_uses=2)
        one, two = await bought_with(harness, code), await bought_with(harness, code)
        await harness.payments.refund(one.purchase_id, None, key="key", reason="undo")

        with pytest.raises(ChargeConflict):
            await harness.payments.refund(two.purchase_id, None, key="key", reason="undo")

        assert await harness.payments.find_charge(two.purchase_id) == two
        assert [event.purchase_id for event in await told(harness, VoucherReturned)] == [one.purchase_id]

    async def test_charge_repeated_after_its_return_uses_nothing(self, harness: PaymentsHarness) -> None:
        """A purchase is charged once, even if it went back whole."""
        buyer, course = new_id(), await harness.offer(PRICE)
        code = await harness.voucher(kind="discount", amount=300)
        charge = await bought_with(harness, code, user_id=buyer, course_id=course)
        returned = await harness.payments.refund(charge.purchase_id, None, key="all", reason="undo")

        again = await harness.payments.charge(charge.purchase_id, buyer, course, charge.amount, voucher=code)

        assert again == returned
        assert await harness.balance(buyer) == taken(harness, PRICE - 300)
        assert len(await used(harness)) == 1
        assert (await harness.payments.check(buyer, code)).kind == "discount"


async def one_of_three(harness: PaymentsHarness) -> Charge:
    """Return one of three charges of one person with one voucher, whose other uses must stay."""
    code = await harness.voucher(kind="discount", amount=300, max_uses=3, max_uses_per_person=3)
    buyer = new_id()
    charges = [await bought_with(harness, code, user_id=buyer) for _ in range(3)]
    return charges[0]
