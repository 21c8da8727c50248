"""A kit that everybody passes proves nothing: each of these providers breaks one promise, and the kit says so."""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec
import pytest

from kernel import new_id, problems
from kernel.contracts.payments import Charge, PurchaseCharged, Quote
from kernel.testing.contracts.payments import PaymentsContract
from kernel.testing.fakes.payments import InMemoryPayments
from tests.contracts.memory import Test, assert_found

KIT = PaymentsContract()


class GuessesPrices(InMemoryPayments):
    """Quotes a sum that its lines do not add up to."""

    async def quote(self, user_id: UUID, course_id: UUID, *, voucher: str | None = None) -> Quote:
        return msgspec.structs.replace(await super().quote(user_id, course_id, voucher=voucher), total=1)


class SellsDrafts(InMemoryPayments):
    """Quotes whatever there is."""

    async def quote(self, user_id: UUID, course_id: UUID, *, voucher: str | None = None) -> Quote:
        try:
            return await super().quote(user_id, course_id, voucher=voucher)
        except problems.NotFound:
            return Quote(course_id=course_id, total=0, currency="EUR", lines=())


class ChargesTwice(InMemoryPayments):
    """Forgets the idempotency key."""

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        self._charges.pop(purchase_id, None)
        return await super().charge(purchase_id, user_id, course_id, amount, voucher=voucher)


class IgnoresOtherValues(InMemoryPayments):
    """Answers a repeat whatever it asks for."""

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        return self._charges.get(purchase_id) or await super().charge(
            purchase_id, user_id, course_id, amount, voucher=voucher
        )


class ChecksThenTakes(InMemoryPayments):
    """Lets others in between looking at the balance and taking from it."""

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        held = self.credit["refundable"][user_id]
        await asyncio.sleep(0)
        self.credit["refundable"][user_id] = held
        return await super().charge(purchase_id, user_id, course_id, amount, voucher=voucher)


class TellsNobody(InMemoryPayments):
    """Publishes nothing."""

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        charge = await super().charge(purchase_id, user_id, course_id, amount, voucher=voucher)
        self.events = [event for event in self.events if not isinstance(event, PurchaseCharged)]
        return charge


class TellsTwice(InMemoryPayments):
    """Publishes again when it is asked again."""

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        charge = await super().charge(purchase_id, user_id, course_id, amount, voucher=voucher)
        self.events.append(self.events[-1])
        return charge


class TakesNegativeSums(InMemoryPayments):
    """Lets a charge add to the wallet."""

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        return self._take(self._charge(purchase_id, user_id, course_id, amount, None), None, 0)


class RefundsTwice(InMemoryPayments):
    """Forgets the key of a refund."""

    async def refund(self, purchase_id: UUID, amount: int | None, *, key: str, reason: str) -> Charge:
        return await super().refund(purchase_id, amount, key=str(new_id()), reason=reason)


class RefundsWithoutEnd(InMemoryPayments):
    """Forgets how much went back."""

    async def refund(self, purchase_id: UUID, amount: int | None, *, key: str, reason: str) -> Charge:
        charge = await super().refund(purchase_id, amount, key=key, reason=reason)
        self._charges[purchase_id] = msgspec.structs.replace(charge, refunded=0)
        return charge


FAULTS: dict[type[InMemoryPayments], Test] = {
    GuessesPrices: KIT.test_quote_begins_with_the_list_price,
    SellsDrafts: KIT.test_quote_of_an_unknown_course_is_not_found,
    ChargesTwice: KIT.test_charge_repeated_is_the_same_charge,
    IgnoresOtherValues: lambda harness: KIT.test_charge_repeated_with_other_values_conflicts(harness, "amount"),
    ChecksThenTakes: KIT.test_charges_at_once_never_take_more_than_there_is,
    TellsNobody: KIT.test_charge_takes_the_amount,
    TellsTwice: KIT.test_charge_repeated_is_the_same_charge,
    TakesNegativeSums: lambda harness: KIT.test_charge_out_of_bounds_is_a_mistake_of_the_caller(harness, -1),
    RefundsTwice: KIT.test_refund_by_twins_has_one_effect,
    RefundsWithoutEnd: KIT.test_refunds_at_once_never_give_back_more_than_was_taken,
}


@pytest.mark.parametrize(("provider", "test"), FAULTS.items(), ids=lambda value: getattr(value, "__name__", "kit"))
async def test_kit_fails_a_provider_that_breaks_a_promise(provider: type[InMemoryPayments], test: Test) -> None:
    """The test that holds the promise fails with the broken provider, and passes with the whole one."""
    await assert_found(provider, test)
