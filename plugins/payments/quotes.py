"""Quotes: what a course costs one person now, and how the price came about."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from kernel import Context, problems
from kernel.contracts.courses import COURSES, CourseOffer
from kernel.contracts.payments import MAX_AMOUNT, PRICE_RULE, PriceLine, PriceRule, Quote
from plugins.payments.settings import PaymentsSettings
from plugins.payments.terms import Voucher, label_of, taken_off
from plugins.payments.vouchers import Vouchers

LIST_PRICE: Final = "list-price"
FLOOR: Final = "floor"
VOUCHER: Final = "voucher"


class Quotes:
    """Asks the course for its price and every price rule, and a voucher at last, for what it makes of it."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._ctx = ctx
        self._vouchers = ctx.own(Vouchers)

    async def quote(self, user_id: UUID, course_id: UUID, typed: str | None = None) -> Quote:
        """See `Payments.quote`; *typed* is the code of a voucher."""
        if typed is None:
            return await self._without_voucher(user_id, course_id)
        voucher = await self._vouchers.usable(user_id, typed, course_id)
        return with_voucher(await self._without_voucher(user_id, course_id), voucher)

    async def taken_off(self, user_id: UUID, course_id: UUID, paid: int) -> int:
        """Return how much less than the price *paid* is, as the price is now; 0 where there is no price any more."""
        try:
            quote = await self._without_voucher(user_id, course_id)
        except problems.Problem:
            return 0
        return max(0, quote.total - paid)

    async def _without_voucher(self, user_id: UUID, course_id: UUID) -> Quote:
        offer = await self._offer(course_id)
        lines: tuple[PriceLine, ...] = (PriceLine(label="List price", amount=offer.price, source=LIST_PRICE),)
        for rule in self._ctx.services.all(PRICE_RULE):
            lines = followed(lines, await self._ask(rule, user_id, course_id, total(lines)))
        return Quote(course_id=course_id, total=total(lines), currency=offer.currency, lines=lines)

    async def _offer(self, course_id: UUID) -> CourseOffer:
        offer = await self._ctx.services.get(COURSES).offer(course_id)
        if offer is None or offer.status != "published":
            raise problems.NotFound
        currency = self._ctx.deployment.currency
        if offer.currency != currency:
            raise problems.Conflict(
                f"The course is priced in {offer.currency}, and this platform takes {currency} only."
            )
        return offer

    async def _ask(self, rule: PriceRule, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        name = type(rule).__name__
        try:
            async with asyncio.timeout(self._ctx.settings.price_rule_timeout):
                lines = await rule.lines(user_id, course_id, price)
        except Exception as error:
            self._ctx.log.exception("price rule failed", action="price_rule_failed", rule=name)
            raise problems.Unavailable(f"The price rule {name} failed; there is no price without it.") from error
        if price + total(lines) > MAX_AMOUNT:
            raise problems.Unavailable(f"The price rule {name} asks for more than {MAX_AMOUNT}.")
        return lines


def total(lines: Sequence[PriceLine]) -> int:
    """Return the sum of *lines*."""
    return sum(line.amount for line in lines)


def with_voucher(quote: Quote, voucher: Voucher) -> Quote:
    """Return *quote* with what *voucher* takes off; a top-up leaves the price as it is."""
    if voucher.kind == "top-up":
        return quote
    off = taken_off(voucher, quote.total)
    line = PriceLine(label=label_of(voucher), amount=-off, source=VOUCHER)
    return msgspec.structs.replace(quote, total=quote.total - off, lines=(*quote.lines, line))


def followed(lines: tuple[PriceLine, ...], more: tuple[PriceLine, ...]) -> tuple[PriceLine, ...]:
    """Return *lines* and then *more*, with a line that makes up for what leads below 0."""
    both = lines + more
    missing = -total(both)
    if missing <= 0:
        return both
    return (*both, PriceLine(label="No price is below zero", amount=missing, source=FLOOR))
