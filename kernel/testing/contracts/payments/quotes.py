"""Quotes: what a course costs one person now."""

from __future__ import annotations

import pytest

from kernel import new_id, problems
from kernel.testing.contracts.payments.harness import PRICE, PaymentsHarness, taken


class QuotesContract:
    """What every provider keeps about quotes."""

    async def test_quote_begins_with_the_list_price(self, harness: PaymentsHarness) -> None:
        """A quote says how the price came about: the lines add up to the total, and the first is the list price."""
        course = await harness.offer(PRICE)

        quote = await harness.payments.quote(new_id(), course)

        assert quote.course_id == course
        assert (quote.lines[0].source, quote.lines[0].amount) == ("list-price", PRICE)
        assert quote.total == sum(line.amount for line in quote.lines) == taken(harness, PRICE)
        assert len(quote.currency) == 3

    @pytest.mark.parametrize("status", ["draft", "in-review", "archived"])
    async def test_quote_of_a_course_that_is_not_on_offer_is_not_found(
        self, harness: PaymentsHarness, status: str
    ) -> None:
        """Only what is published has a price."""
        course = await harness.offer(PRICE, status=status)

        with pytest.raises(problems.NotFound):
            await harness.payments.quote(new_id(), course)

    async def test_quote_of_an_unknown_course_is_not_found(self, harness: PaymentsHarness) -> None:
        """What is not there has no price."""
        with pytest.raises(problems.NotFound):
            await harness.payments.quote(new_id(), new_id())
