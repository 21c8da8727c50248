"""Each of these providers breaks one promise about vouchers, and the kit says so."""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec
import pytest

from kernel import new_id
from kernel.clock import Clock
from kernel.contracts.courses import Courses
from kernel.contracts.payments import (
    Charge,
    NothingToRefund,
    Quote,
    VoucherOffer,
    VoucherRedeemed,
    VoucherRefused,
)
from kernel.testing.contracts.payments import PaymentsContract
from kernel.testing.fakes.payments import InMemoryPayments
from kernel.testing.fakes.vouchers import InMemoryVouchers, Voucher, refused
from tests.contracts.memory import Test, assert_found

KIT = PaymentsContract()


class CountsUsesTwice(InMemoryPayments):
    """Takes two uses for one."""

    def _use(self, voucher: Voucher, user_id: UUID, amount: int, purchase_id: UUID | None) -> None:
        super()._use(voucher, user_id, amount, purchase_id)
        voucher.users.append(new_id())


class CountsNoUses(InMemoryPayments):
    """Lowers the price and forgets the voucher."""

    def _take(self, charge: Charge, used: Voucher | None, taken_off: int) -> Charge:
        return super()._take(charge, None, taken_off)


class TellsOfNoUses(InMemoryPayments):
    """Keeps to itself that a voucher was used."""

    def _use(self, voucher: Voucher, user_id: UUID, amount: int, purchase_id: UUID | None) -> None:
        super()._use(voucher, user_id, amount, purchase_id)
        self.events = [event for event in self.events if not isinstance(event, VoucherRedeemed)]


class UsesByChecking(InMemoryPayments):
    """Takes a use from whoever asks."""

    async def check(self, user_id: UUID, code: str, course_id: UUID | None = None) -> VoucherOffer:
        offer = await super().check(user_id, code, course_id)
        self._vouchers.find(code).users.append(user_id)
        return offer


class UsesByQuoting(InMemoryPayments):
    """Takes a use from whoever looks at a price."""

    async def quote(self, user_id: UUID, course_id: UUID, *, voucher: str | None = None) -> Quote:
        quote = await super().quote(user_id, course_id, voucher=voucher)
        if voucher is not None:
            self._vouchers.find(voucher).users.append(user_id)
        return quote


class UsesBeforeItLooksAtTheWallet(InMemoryPayments):
    """Takes the voucher from whoever has too little money."""

    def _take(self, charge: Charge, used: Voucher | None, taken_off: int) -> Charge:
        if used is not None:
            self._vouchers.require_usable(used, charge.user_id, charge.course_id)
            self._use(used, charge.user_id, taken_off, charge.purchase_id)
        return super()._take(charge, None, taken_off)


class ChecksThenUses(InMemoryPayments):
    """Lets others in between looking at a voucher and using it."""

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        if voucher is not None:
            found = self._vouchers.find(voucher)
            seen = list(found.users)
            await asyncio.sleep(0)
            found.users[:] = seen
        return await super().charge(purchase_id, user_id, course_id, amount, voucher=voucher)


class IgnoresOtherVouchers(InMemoryPayments):
    """Answers a repeat whichever voucher it names."""

    async def charge(
        self, purchase_id: UUID, user_id: UUID, course_id: UUID, amount: int, *, voucher: str | None = None
    ) -> Charge:
        found = self._charges.get(purchase_id)
        return found or await super().charge(purchase_id, user_id, course_id, amount, voucher=voucher)


class KeepsUses(InMemoryPayments):
    """Gives the money back, and not the use."""

    def _return_use(self, charge: Charge) -> None:
        pass


class ReturnsUsesWithEachPart(InMemoryPayments):
    """Gives the use back for the first cent."""

    def _give_back(self, purchase_id: UUID, amount: int | None, reason: str) -> Charge:
        outcome = super()._give_back(purchase_id, amount, reason)
        if not outcome.returned:
            self._return_use(outcome)
        return outcome


class ReturnsUsesWithoutEnd(InMemoryPayments):
    """Forgets that a use was given back."""

    def _give_back(self, purchase_id: UUID, amount: int | None, reason: str) -> Charge:
        outcome = super()._give_back(purchase_id, amount, reason)
        self._charges[purchase_id] = msgspec.structs.replace(outcome, returned=False)
        return outcome


class KeepsVouchersThatPaidAll(InMemoryPayments):
    """Sees nothing to give back where no money was taken."""

    def _give_back(self, purchase_id: UUID, amount: int | None, reason: str) -> Charge:
        if self._charges[purchase_id].amount == 0:
            raise NothingToRefund
        return super()._give_back(purchase_id, amount, reason)


class RoundedDown(Voucher):
    """Keeps half cents for the institution."""

    def taken_off(self, price: int) -> int:
        percent = self.terms.percent
        return super().taken_off(price) if percent is None else price * percent // 100


class Dearer(Voucher):
    """Sets its price wherever it is used."""

    def taken_off(self, price: int) -> int:
        return super().taken_off(price) if self.terms.price is None else price - self.terms.price


def pricing_by(kind: type[Voucher]) -> type[InMemoryPayments]:
    """Return a provider whose prices are made by vouchers of the broken *kind*."""

    class Broken(InMemoryPayments):
        def _usable(self, user_id: UUID, typed: str, course_id: UUID | None) -> Voucher:
            return kind(**vars(super()._usable(user_id, typed, course_id)))

    Broken.__name__ = kind.__name__
    return Broken


class Lenient(InMemoryVouchers):
    """Lets pass what should be refused for one reason."""

    def __init__(self, clock: Clock, reason: str) -> None:
        super().__init__(clock)
        self._reason = reason

    def require_usable(self, voucher: Voucher, user_id: UUID, course_id: UUID | None = None) -> None:
        try:
            super().require_usable(voucher, user_id, course_id)
        except VoucherRefused as refusal:
            if refusal.extensions["reason"] != self._reason:
                raise


def ignoring(reason: str) -> type[InMemoryPayments]:
    """Return a provider that refuses no voucher for *reason*."""

    class Broken(InMemoryPayments):
        def __init__(self, courses: Courses, *, clock: Clock) -> None:
            super().__init__(courses, clock=clock)
            self._vouchers = Lenient(clock, reason)

    Broken.__name__ = f"Ignores {reason}"
    return Broken


class Talkative(InMemoryVouchers):
    """Tells what codes look like."""

    def find(self, typed: str) -> Voucher:
        if not typed.isascii():
            raise refused("malformed")
        return super().find(typed)


class TellsWhatCodesLookLike(InMemoryPayments):
    """Tells a code that never can be one from one that nobody made."""

    def __init__(self, courses: Courses, *, clock: Clock) -> None:
        super().__init__(courses, clock=clock)
        self._vouchers = Talkative(clock)


FAULTS: tuple[tuple[type[InMemoryPayments], Test], ...] = (
    (CountsUsesTwice, KIT.test_voucher_is_used_up),
    (CountsNoUses, KIT.test_charge_of_nothing_uses_its_voucher),
    (CountsNoUses, KIT.test_voucher_with_three_uses_is_used_by_exactly_three_at_once),
    (TellsOfNoUses, KIT.test_charge_uses_its_voucher),
    (TellsOfNoUses, KIT.test_redemption_adds_credit_of_the_voucher_s_kind),
    (UsesByChecking, KIT.test_check_and_quote_use_nothing),
    (UsesByQuoting, KIT.test_check_and_quote_use_nothing),
    (UsesBeforeItLooksAtTheWallet, KIT.test_charge_over_the_balance_uses_no_voucher),
    (ChecksThenUses, KIT.test_voucher_with_three_uses_is_used_by_exactly_three_at_once),
    (ChecksThenUses, KIT.test_person_uses_a_voucher_at_once_only_as_often_as_one_may),
    (IgnoresOtherVouchers, KIT.test_charge_repeated_with_another_voucher_conflicts),
    (KeepsUses, KIT.test_whole_return_gives_the_use_back),
    (ReturnsUsesWithEachPart, KIT.test_only_the_last_part_gives_the_use_back),
    (ReturnsUsesWithoutEnd, KIT.test_returns_at_once_give_back_one_use),
    (KeepsVouchersThatPaidAll, KIT.test_charge_of_nothing_with_a_voucher_goes_back_once),
    (pricing_by(RoundedDown), KIT.test_discount_is_taken_off_the_price),
    (pricing_by(Dearer), KIT.test_discount_is_taken_off_the_price),
    (ignoring("not-yet-valid"), KIT.test_voucher_counts_in_its_time_only),
    (ignoring("expired"), KIT.test_voucher_counts_in_its_time_only),
    (ignoring("used-up"), KIT.test_voucher_is_used_up),
    (ignoring("already-redeemed"), KIT.test_person_uses_a_voucher_only_as_often_as_one_may),
    (ignoring("withdrawn"), KIT.test_voucher_that_was_withdrawn_is_refused),
    (ignoring("other-course"), KIT.test_voucher_for_other_courses_is_refused),
    (TellsWhatCodesLookLike, KIT.test_code_that_is_none_is_unknown),
)


@pytest.mark.parametrize(("provider", "test"), FAULTS, ids=lambda value: value.__name__)
async def test_kit_fails_a_provider_that_breaks_a_promise(provider: type[InMemoryPayments], test: Test) -> None:
    """The test that holds the promise fails with the broken provider, and passes with the whole one."""
    await assert_found(provider, test)
