"""Discounts: what a voucher makes of a price, to the cent."""

from __future__ import annotations

from kernel import new_id
from kernel.testing.contracts.payments.harness import PRICE, PaymentsHarness, taken

#: What a voucher says, a price, and what is left to pay.
DISCOUNTS: tuple[tuple[dict[str, object], int, int], ...] = (
    ({"amount": 500}, 1500, 1000),
    ({"amount": 1500}, 1500, 0),
    ({"amount": 1501}, 1500, 0),
    ({"amount": 500}, 0, 0),
    ({"percent": 20}, 1500, 1200),
    ({"percent": 100}, 1500, 0),
    ({"percent": 1}, 49, 49),  # 0.49 off
    ({"percent": 1}, 50, 49),  # half a cent goes up, to the person's good
    ({"percent": 1}, 250, 247),  # 2.5 off: to the even number would be 2
    ({"percent": 33}, 100, 67),
    ({"percent": 35}, 999_999_999_990, 649_999_999_993),  # 349 999 999 996.5 off
    ({"price": 900}, 1500, 900),
    ({"price": 0}, 1500, 0),
    ({"price": 1501}, 1500, 1500),  # never dearer
)


class DiscountsContract:
    """What every provider makes of prices."""

    async def test_discount_is_taken_off_the_price(self, harness: PaymentsHarness) -> None:
        """The quote says what the voucher took, and never ends below 0 or above the price."""
        for terms, price, total in DISCOUNTS:
            course, code = await harness.offer(price), await harness.voucher(kind="discount", **terms)

            quote = await harness.payments.quote(new_id(), course, voucher=code)

            assert quote.total == sum(line.amount for line in quote.lines) == taken(harness, total), (terms, price)
            off = sum(line.amount for line in quote.lines if line.source == "voucher")
            assert off == taken(harness, total - price), (terms, price)
            assert (quote.lines[0].source, quote.lines[0].amount) == ("list-price", price)

    async def test_enrolment_makes_its_course_free(self, harness: PaymentsHarness) -> None:
        """The whole price is taken off, and the quote says by what."""
        course = await harness.offer(PRICE)
        code = await harness.voucher(kind="enrol", course_ids=(course,))

        quote = await harness.payments.quote(new_id(), course, voucher=code)

        assert quote.total == sum(line.amount for line in quote.lines) == 0
        assert sum(line.amount for line in quote.lines if line.source == "voucher") == -taken(harness, PRICE)

    async def test_top_up_leaves_the_price_as_it_is(self, harness: PaymentsHarness) -> None:
        """It is money, and no discount."""
        course, code = await harness.offer(PRICE), await harness.voucher(amount=PRICE)

        quote = await harness.payments.quote(new_id(), course, voucher=code)

        assert quote.total == taken(harness, PRICE)
        assert all(line.amount == 0 for line in quote.lines if line.source == "voucher")
