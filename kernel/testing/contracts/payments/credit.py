"""Credit of two kinds: what was given away is spent first, and what goes back goes the way it came."""

from __future__ import annotations

from uuid import UUID

from kernel import new_id
from kernel.contracts.payments import Charge
from kernel.testing.contracts.payments.harness import PRICE, PaymentsHarness, outcomes, refuses_every_refund, taken


class CreditContract:
    """What every provider keeps about refundable and promotional credit."""

    async def test_charge_takes_promotional_credit_first(self, harness: PaymentsHarness) -> None:
        """Only what it does not cover is taken from what was paid for, and the charge says how much it was."""
        buyer = await somebody_with(harness, refundable=1000, promotional=700)

        charge = await harness.payments.charge(new_id(), buyer, await harness.offer(PRICE), 1200)

        assert charge.promotional == taken(harness, 700)
        assert await harness.payments.find_charge(charge.purchase_id) == charge
        if harness.charges_money:
            assert await parts(harness, buyer) == (500, 0)

    async def test_charge_that_promotional_credit_covers_takes_nothing_else(self, harness: PaymentsHarness) -> None:
        """What was paid for stays whole."""
        buyer = await somebody_with(harness, refundable=1000, promotional=PRICE + 1)

        charge = await harness.payments.charge(new_id(), buyer, await harness.offer(PRICE), PRICE)

        assert charge.promotional == taken(harness, PRICE)
        if harness.charges_money:
            assert await parts(harness, buyer) == (1000, 1)

    async def test_refund_goes_the_way_it_came_the_refundable_part_first(self, harness: PaymentsHarness) -> None:
        """In parts, too: what was given away never becomes what can be paid out."""
        buyer = await somebody_with(harness, refundable=1000, promotional=700)
        charge = await harness.payments.charge(new_id(), buyer, await harness.offer(PRICE), 1500)
        if not harness.charges_money:
            await refuses_every_refund(harness, charge, 300)
            return
        refund, held = harness.payments.refund, [await parts(harness, buyer)]

        for amount in (300, 600, 100, None):
            await refund(charge.purchase_id, amount, key=f"{amount}", reason="part")
            held.append(await parts(harness, buyer))

        assert held == [(200, 0), (500, 0), (1000, 100), (1000, 200), (1000, 700)]

    async def test_refund_of_promotional_credit_is_promotional(self, harness: PaymentsHarness) -> None:
        """Whoever paid nothing gets nothing that could be paid out."""
        buyer = await somebody_with(harness, refundable=0, promotional=PRICE)
        charge = await harness.payments.charge(new_id(), buyer, await harness.offer(PRICE), PRICE)
        if not harness.charges_money:
            await refuses_every_refund(harness, charge)
            return

        await harness.payments.refund(charge.purchase_id, None, key="all", reason="undo")

        assert await parts(harness, buyer) == (0, PRICE)

    async def test_charges_at_once_take_promotional_credit_first(self, harness: PaymentsHarness) -> None:
        """Of ten purchases at once with money for five, the five take each cent of both kinds once."""
        buyer, course = await somebody_with(harness, refundable=2300, promotional=700), await harness.offer(PRICE)

        tried = await outcomes(*(harness.payments.charge(new_id(), buyer, course, 600) for _ in range(10)))

        bought = [charge for charge in tried if isinstance(charge, Charge)]
        assert len(bought) == (5 if harness.charges_money else 10)
        assert sum(charge.promotional for charge in bought) == taken(harness, 700)
        assert await parts(harness, buyer) == ((0, 0) if harness.charges_money else (2300, 700))

    async def test_refunds_at_once_go_the_way_it_came(self, harness: PaymentsHarness) -> None:
        """Ten parts at once give back exactly what was taken of each kind."""
        buyer = await somebody_with(harness, refundable=900, promotional=600)
        charge = await harness.payments.charge(new_id(), buyer, await harness.offer(PRICE), 1500)
        if not harness.charges_money:
            await refuses_every_refund(harness, charge, 250)
            return
        refund = harness.payments.refund

        tried = await outcomes(*(refund(charge.purchase_id, 250, key=f"{n}", reason="race") for n in range(10)))

        assert sum(isinstance(one, Charge) for one in tried) == 6
        assert await parts(harness, buyer) == (900, 600)


async def somebody_with(harness: PaymentsHarness, *, refundable: int, promotional: int) -> UUID:
    """Return somebody who has so much."""
    person = new_id()
    if refundable:
        await harness.fund(person, refundable, credit="refundable")
    if promotional:
        await harness.fund(person, promotional, credit="promotional")
    return person


async def parts(harness: PaymentsHarness, person: UUID) -> tuple[int, int]:
    """Return what the person has, refundable and promotional."""
    wallet = await harness.wallet(person)
    assert wallet.balance == wallet.refundable + wallet.promotional
    return wallet.refundable, wallet.promotional
