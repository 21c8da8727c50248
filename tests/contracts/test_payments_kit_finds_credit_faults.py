"""Each of these providers breaks one promise about top-ups or the kinds of credit, and the kit says so."""

from __future__ import annotations

from uuid import UUID

import pytest

from kernel import new_id
from kernel.contracts.payments import Charge, Credit, Redemption, VoucherKind
from kernel.testing.contracts.payments import PaymentsContract
from kernel.testing.fakes.payments import InMemoryPayments
from kernel.testing.fakes.vouchers import Voucher
from tests.contracts.memory import Test, assert_found

KIT = PaymentsContract()


class ForgetsKeysOfRedemptions(InMemoryPayments):
    """Redeems again what is asked for again."""

    async def redeem(self, user_id: UUID, code: str, *, key: str) -> Redemption:
        return await super().redeem(user_id, code, key=str(new_id()))


class AnswersForAnyCode(InMemoryPayments):
    """Answers a repeat whichever code it names."""

    async def redeem(self, user_id: UUID, code: str, *, key: str) -> Redemption:
        return self._redeemed.get((user_id, key)) or await super().redeem(user_id, code, key=key)


class SharesKeys(InMemoryPayments):
    """Takes one person's key for another's."""

    async def redeem(self, user_id: UUID, code: str, *, key: str) -> Redemption:
        known = {used: outcome for (_, used), outcome in self._redeemed.items()}
        return known.get(key) or await super().redeem(user_id, code, key=key)


class TakesPromotionalCreditLast(InMemoryPayments):
    """Spends what was paid for first."""

    def _promotional_part(self, user_id: UUID, amount: int) -> int:
        return max(0, amount - self.credit["refundable"][user_id])


class RefundsPromotionalCreditFirst(InMemoryPayments):
    """Keeps what was paid for the longest."""

    def _refundable_part(self, charge: Charge, back: int) -> int:
        return back - min(back, max(0, charge.promotional - charge.refunded))


class TurnsGiftsIntoMoney(InMemoryPayments):
    """Gives everything back as if it had been paid for."""

    def _refundable_part(self, charge: Charge, back: int) -> int:
        return back


class PaysOutGifts(InMemoryPayments):
    """Knows one kind of credit."""

    def fund(self, user_id: UUID, amount: int, *, credit: Credit = "refundable") -> None:
        super().fund(user_id, amount)


class AlwaysCredit(Voucher):
    """Takes itself for a top-up."""

    @property
    def kind(self) -> VoucherKind:
        return "top-up"


class TurnsDiscountsIntoCredit(InMemoryPayments):
    """Redeems whatever says an amount."""

    def _top_up(self, user_id: UUID, voucher: Voucher) -> Redemption:
        return super()._top_up(user_id, AlwaysCredit(**vars(voucher)))


FAULTS: tuple[tuple[type[InMemoryPayments], Test], ...] = (
    (ForgetsKeysOfRedemptions, KIT.test_redemption_by_twins_has_one_effect),
    (ForgetsKeysOfRedemptions, KIT.test_redemption_repeated_with_its_key_is_the_same),
    (AnswersForAnyCode, KIT.test_redemption_of_another_code_under_the_same_key_is_refused),
    (SharesKeys, KIT.test_key_of_a_redemption_belongs_to_its_person),
    (TakesPromotionalCreditLast, KIT.test_charge_takes_promotional_credit_first),
    (TakesPromotionalCreditLast, KIT.test_charge_that_promotional_credit_covers_takes_nothing_else),
    (RefundsPromotionalCreditFirst, KIT.test_refund_goes_the_way_it_came_the_refundable_part_first),
    (TurnsGiftsIntoMoney, KIT.test_refund_of_promotional_credit_is_promotional),
    (PaysOutGifts, KIT.test_redemption_adds_credit_of_the_voucher_s_kind),
    (TurnsDiscountsIntoCredit, KIT.test_only_a_top_up_is_redeemed),
)


@pytest.mark.parametrize(("provider", "test"), FAULTS, ids=lambda value: value.__name__)
async def test_kit_fails_a_provider_that_breaks_a_promise(provider: type[InMemoryPayments], test: Test) -> None:
    """The test that holds the promise fails with the broken provider, and passes with the whole one."""
    await assert_found(provider, test)
