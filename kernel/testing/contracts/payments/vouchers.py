"""Vouchers: what they would do, for whom and when; every refusal has its reason, and looking uses nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from kernel import new_id
from kernel.contracts.payments import PurchaseCharged, VoucherRedeemed, WalletToppedUp
from kernel.testing.contracts.payments.harness import PRICE, PaymentsHarness, bought_with, refusal, told

#: What no voucher ever had as its code.
NO_CODES: Final = ("", "0000-0000-0000-0000", "what?", "ÄÖÜ", "x" * 100, "' OR 1=1")


class VouchersContract:
    """What every provider keeps about vouchers that nobody has used yet."""

    async def test_check_says_what_a_voucher_would_do(self, harness: PaymentsHarness) -> None:
        """The kind, what it brings or takes off, for which courses, and until when."""
        person, course, until = new_id(), await harness.offer(PRICE), harness.clock.now() + timedelta(days=1)
        kinds: tuple[dict[str, object], ...] = (
            {"kind": "top-up", "amount": 700, "credit": "refundable"},
            {"kind": "top-up", "amount": 700, "credit": "promotional"},
            {"kind": "discount", "amount": 300, "valid_until": until},
            {"kind": "discount", "percent": 20, "course_ids": (course,)},
            {"kind": "discount", "price": 900},
        )

        offers = [(terms, await harness.payments.check(person, await harness.voucher(**terms))) for terms in kinds]
        enrol = await harness.payments.check(person, await harness.voucher(kind="enrol", course_ids=(course,)), course)

        rest = {"course_ids": (), "amount": None, "percent": None, "price": None, "credit": None, "valid_until": None}
        for terms, offer in offers:
            assert {name: getattr(offer, name) for name in ("kind", *rest)} == rest | terms
        assert (enrol.kind, enrol.price, enrol.course_ids) == ("enrol", 0, (course,))
        assert {len(offer.currency) for _, offer in offers} == {3}
        assert len({offer.voucher_id for _, offer in offers}) == len(kinds)

    async def test_check_and_quote_use_nothing(self, harness: PaymentsHarness) -> None:
        """However often somebody looks, the one use is there for whoever buys."""
        code, course = await harness.voucher(kind="discount", percent=20), await harness.offer(PRICE)
        top_up, person = await harness.voucher(amount=100), new_id()

        for _ in range(3):
            await harness.payments.check(person, code)
            await harness.payments.quote(person, course, voucher=code)
            await harness.payments.check(person, top_up, course)
            await harness.payments.quote(person, course, voucher=top_up)

        assert await harness.balance(person) == 0
        assert await told(harness, VoucherRedeemed) == []
        assert (await bought_with(harness, code)).voucher_id is not None
        assert (await harness.payments.redeem(person, top_up, key="now")).amount == 100

    async def test_code_that_is_none_is_unknown(self, harness: PaymentsHarness) -> None:
        """A code that never was one and one that nobody has made are answered alike, wherever they are used."""
        person, course = new_id(), await harness.offer(PRICE)
        await harness.fund(person, PRICE)
        before = await told(harness, WalletToppedUp)

        for code in (*NO_CODES, "\0"):
            assert await refusals(harness, code, course, person) == ["unknown"] * 3, code
            assert await refusals(harness, code) == ["unknown"] * 2, code

        assert await harness.balance(person) == PRICE
        assert await told(harness, WalletToppedUp) == before
        assert await told(harness, PurchaseCharged) == []

    async def test_voucher_counts_in_its_time_only(self, harness: PaymentsHarness) -> None:
        """Before, it does not count yet; from `valid_until` on, not any more."""
        course, hour = await harness.offer(PRICE), timedelta(hours=1)
        starts, ends = harness.clock.now() + hour, harness.clock.now() + 2 * hour
        times: dict[str, object] = {"valid_from": starts, "valid_until": ends, "max_uses": 9}
        discount = await harness.voucher(kind="discount", percent=20, **times)
        top_up = await harness.voucher(amount=100, **times)

        early = await refusals(harness, discount, course), await refusals(harness, top_up)
        harness.clock.set(starts)
        await bought_with(harness, discount, course_id=course)
        await harness.payments.redeem(new_id(), top_up, key="in time")
        harness.clock.set(ends)
        late = await refusals(harness, discount, course), await refusals(harness, top_up)

        assert early == (["not-yet-valid"] * 3, ["not-yet-valid"] * 2)
        assert late == (["expired"] * 3, ["expired"] * 2)

    async def test_voucher_that_was_withdrawn_is_refused(self, harness: PaymentsHarness) -> None:
        """From then on nobody can use it; what came before stays."""
        course = await harness.offer(PRICE)
        discount = await harness.voucher(kind="discount", percent=20, max_uses=9)
        top_up = await harness.voucher(amount=100, max_uses=9)
        before = await bought_with(harness, discount, course_id=course)

        await harness.withdraw(discount)
        await harness.withdraw(top_up)

        assert await refusals(harness, discount, course) == ["withdrawn"] * 3
        assert await refusals(harness, top_up) == ["withdrawn"] * 2
        assert await harness.payments.find_charge(before.purchase_id) == before

    async def test_voucher_for_other_courses_is_refused(self, harness: PaymentsHarness) -> None:
        """It counts for each of its own courses, and for no other."""
        first, second, other = [await harness.offer(PRICE) for _ in range(3)]
        person = new_id()
        await harness.fund(person, PRICE)

        kinds: tuple[dict[str, object], ...] = ({"kind": "discount", "percent": 20}, {"kind": "enrol"})

        for terms in kinds:
            code = await harness.voucher(**terms, course_ids=(first, second), max_uses=2)
            assert set((await harness.payments.check(person, code)).course_ids) == {first, second}
            assert await refusals(harness, code, other, person) == ["other-course"] * 3, terms
            for course in (first, second):
                await bought_with(harness, code, course_id=course)

        assert await harness.balance(person) == PRICE
        assert all(event.user_id != person for event in await told(harness, PurchaseCharged))

    async def test_discount_without_courses_is_for_every_course(self, harness: PaymentsHarness) -> None:
        """Also for those that come later."""
        code = await harness.voucher(kind="discount", percent=20, max_uses=2)

        bought = [await bought_with(harness, code) for _ in range(2)]

        assert len({charge.course_id for charge in bought}) == 2
        assert len({charge.voucher_id for charge in bought}) == 1

    async def test_voucher_is_used_up(self, harness: PaymentsHarness) -> None:
        """After its last use nobody can use it."""
        code, course = await harness.voucher(kind="discount", percent=20, max_uses=2), await harness.offer(PRICE)
        top_up = await harness.voucher(amount=100)
        for _ in range(2):
            await bought_with(harness, code)
        await harness.payments.redeem(new_id(), top_up, key="last")

        assert await refusals(harness, code, course) == ["used-up"] * 3
        assert await refusals(harness, top_up) == ["used-up"] * 2

    async def test_person_uses_a_voucher_only_as_often_as_one_may(self, harness: PaymentsHarness) -> None:
        """Whoever has used it so often is refused; others are not."""
        person, course = new_id(), await harness.offer(PRICE)
        code = await harness.voucher(kind="discount", percent=20, max_uses=9, max_uses_per_person=2)
        top_up = await harness.voucher(amount=100, max_uses=9, max_uses_per_person=2)
        for key in ("first", "second"):
            await bought_with(harness, code, user_id=person)
            await harness.payments.redeem(person, top_up, key=key)

        assert await refusals(harness, code, course, person) == ["already-redeemed"] * 3
        assert await refusals(harness, top_up, None, person) == ["already-redeemed"] * 2
        await bought_with(harness, code)
        await harness.payments.redeem(new_id(), top_up, key="first")


async def refusals(
    harness: PaymentsHarness, code: str, course: UUID | None = None, person: UUID | None = None
) -> list[str]:
    """Return for which reasons *code* is refused where it is looked at and used, for *course* or as a top-up."""
    user, payments = person or new_id(), harness.payments
    if course is None:
        return [
            await refusal(payments.check(user, code)),
            await refusal(payments.redeem(user, code, key=f"{new_id()}")),
        ]
    return [
        await refusal(payments.check(user, code, course)),
        await refusal(payments.quote(user, course, voucher=code)),
        await refusal(payments.charge(new_id(), user, course, 0, voucher=code)),
    ]
