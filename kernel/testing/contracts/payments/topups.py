"""Top-ups: a voucher becomes credit of its kind, once for each key and never more often than it may."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from kernel import new_id, problems
from kernel.contracts.payments import Redemption, VoucherRedeemed, VoucherRefused, WalletToppedUp
from kernel.testing.contracts.payments.harness import PRICE, PaymentsHarness, outcomes, refusal, told


class TopUpsContract:
    """What every provider keeps about turning vouchers into credit."""

    async def test_redemption_adds_credit_of_the_voucher_s_kind(self, harness: PaymentsHarness) -> None:
        """What was paid for and what was given away are told apart, in the wallet and in what is told."""
        person = new_id()
        paid = await harness.voucher(amount=700, credit="refundable")
        given = await harness.voucher(amount=500, credit="promotional")

        first = await harness.payments.redeem(person, paid, key="paid")
        second = await harness.payments.redeem(person, given, key="given")

        assert (first.amount, first.credit, first.balance) == (700, "refundable", 700)
        assert (second.amount, second.credit, second.balance) == (500, "promotional", 1200)
        wallet = await harness.wallet(person)
        assert (wallet.balance, wallet.refundable, wallet.promotional) == (1200, 700, 500)
        assert await told(harness, VoucherRedeemed) == [redeemed(one, person) for one in (first, second)]
        assert await told(harness, WalletToppedUp) == [topped_up(one, person) for one in (first, second)]

    async def test_redemption_repeated_with_its_key_is_the_same(self, harness: PaymentsHarness) -> None:
        """A repeat has the first answer and moves nothing, also once the voucher is gone and the wallet has changed."""
        person, soon = new_id(), harness.clock.now() + timedelta(hours=1)
        code = await harness.voucher(amount=700, valid_until=soon)
        first = await harness.payments.redeem(person, code, key="once")
        await harness.payments.redeem(person, await harness.voucher(amount=100), key="another")
        harness.clock.set(soon)

        second = await harness.payments.redeem(person, f" {code.lower()} ", key="once")

        assert second == first
        assert await harness.balance(person) == 800
        assert len(await told(harness, VoucherRedeemed)) == len(await told(harness, WalletToppedUp)) == 2

    async def test_redemption_of_another_code_under_the_same_key_is_refused(self, harness: PaymentsHarness) -> None:
        """A key belongs to one code; the other one can still be used."""
        person, other = new_id(), await harness.voucher(amount=200)
        await harness.payments.redeem(person, await harness.voucher(amount=100), key="key")

        with pytest.raises(problems.IdempotencyKeyReused):
            await harness.payments.redeem(person, other, key="key")

        assert await harness.balance(person) == 100
        assert (await harness.payments.redeem(person, other, key="a key of its own")).balance == 300

    async def test_key_of_a_redemption_belongs_to_its_person(self, harness: PaymentsHarness) -> None:
        """Two people who chose the same key do not know of each other."""
        people, codes = (new_id(), new_id()), await harness.voucher(amount=100, max_uses=2)

        both = [await harness.payments.redeem(person, codes, key="mine") for person in people]

        assert [one.balance for one in both] == [100, 100]
        assert [await harness.balance(person) for person in people] == [100, 100]

    async def test_refusal_of_a_redemption_is_not_remembered(self, harness: PaymentsHarness) -> None:
        """The same key can be tried again once the voucher counts."""
        person, soon = new_id(), harness.clock.now() + timedelta(hours=1)
        code = await harness.voucher(amount=100, valid_from=soon)
        assert await refusal(harness.payments.redeem(person, code, key="key")) == "not-yet-valid"
        harness.clock.set(soon)

        await harness.payments.redeem(person, code, key="key")

        assert await harness.balance(person) == 100

    async def test_only_a_top_up_is_redeemed(self, harness: PaymentsHarness) -> None:
        """The refusal of any other voucher says what it is and for which courses; it can be used for them."""
        person, course = new_id(), await harness.offer(PRICE)
        kinds: tuple[dict[str, object], ...] = (
            {"kind": "discount", "amount": 300},
            {"kind": "discount", "percent": 20},
            {"kind": "discount", "price": 900},
            {"kind": "enrol"},
        )

        for terms in kinds:
            code = await harness.voucher(**terms, course_ids=(course,))
            with pytest.raises(VoucherRefused) as refused:
                await harness.payments.redeem(person, code, key=f"as {terms}")
            members = refused.value.extensions
            assert (members["reason"], members["kind"]) == ("needs-course", terms["kind"])
            assert members["course_ids"] == [str(course)]
            assert (await harness.payments.charge(new_id(), person, course, 0, voucher=code)).amount == 0

        assert await harness.balance(person) == 0
        assert await told(harness, WalletToppedUp) == []

    async def test_redemption_by_twins_has_one_effect(self, harness: PaymentsHarness) -> None:
        """Ten calls at once with one key add the credit once and answer alike."""
        person, code = new_id(), await harness.voucher(amount=100, max_uses=9, max_uses_per_person=9)

        answers = await asyncio.gather(*(harness.payments.redeem(person, code, key="twin") for _ in range(10)))

        assert len(set(answers)) == 1
        assert await harness.balance(person) == 100
        assert len(await told(harness, VoucherRedeemed)) == len(await told(harness, WalletToppedUp)) == 1

    async def test_person_redeems_at_once_only_as_often_as_one_may(self, harness: PaymentsHarness) -> None:
        """Of ten calls at once with keys of their own, exactly the three that one person may have succeed."""
        person, code = new_id(), await harness.voucher(amount=100, max_uses=9, max_uses_per_person=3)

        tried = await outcomes(*(harness.payments.redeem(person, code, key=f"{n}") for n in range(10)))

        refused = [one.extensions["reason"] for one in tried if isinstance(one, VoucherRefused)]
        assert sum(isinstance(one, Redemption) for one in tried) == 3
        assert refused == ["already-redeemed"] * 7
        assert await harness.balance(person) == 300
        assert len(await told(harness, VoucherRedeemed)) == 3


def redeemed(redemption: Redemption, person: UUID) -> VoucherRedeemed:
    """Return the event that tells that the voucher was used."""
    return VoucherRedeemed(
        user_id=person,
        voucher_id=redemption.voucher_id,
        batch_id=redemption.batch_id,
        amount=redemption.amount,
        currency=redemption.currency,
        kind="top-up",
        purchase_id=None,
    )


def topped_up(redemption: Redemption, person: UUID) -> WalletToppedUp:
    """Return the event that tells that the wallet holds more."""
    return WalletToppedUp(
        user_id=person,
        amount=redemption.amount,
        currency=redemption.currency,
        source="voucher",
        credit=redemption.credit,
    )
