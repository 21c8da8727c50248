"""Quotes: the price, and how it came about."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

import pytest

from kernel import Context, Manifest, Plugin, Provide, hookimpl, new_id, problems
from kernel.contracts.payments import MAX_AMOUNT, PRICE_RULE, PriceLine, PriceRule
from kernel.testing.choices import PluginClass
from kernel.testing.contracts.payments import DeployedPayments, deploy_payments
from kernel.testing.deploying import Deploy


class Half:
    """Takes half of what is left."""

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        return (PriceLine(label="Half price", amount=-(price // 2), source="half"),)


class Ten:
    """Takes ten euros, whatever the price."""

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        return (PriceLine(label="Ten off", amount=-1000, source="ten"),)


class Silent:
    """Has nothing to say."""

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        return ()


class Broken:
    """Raises."""

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        raise RuntimeError("the discount server is down")


class Hanging:
    """Never answers."""

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        await asyncio.Event().wait()
        return ()


class Greedy:
    """Asks for more than can be counted."""

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        return (PriceLine(label="Fee", amount=MAX_AMOUNT, source="greedy"),)


def rule_plugin(number: int, rule: type[PriceRule]) -> PluginClass:
    """Return a plugin that contributes *rule*; plugins start in the order of their numbers."""

    class RulePlugin(Plugin):
        manifest: ClassVar[Manifest] = Manifest(name=f"rule-{number}", version="1", provides=(PRICE_RULE,))

        @hookimpl
        def services(self, ctx: Context) -> Iterable[Provide[object]]:
            yield Provide(PRICE_RULE, lambda: contextlib.nullcontext(rule()))

    return RulePlugin


async def with_rules(deploy: Deploy, *rules: type[PriceRule]) -> DeployedPayments:
    plugins = [rule_plugin(number, rule) for number, rule in enumerate(rules)]
    settings = {"payments": {"price_rule_timeout": 0.2}}
    return await deploy_payments(deploy, "payments", charges_money=True, plugins=plugins, settings=settings)


async def test_quote_follows_the_rules_in_their_order(deploy: Deploy) -> None:
    """Each rule sees what the earlier ones left, and each line says who made it."""
    bank = await with_rules(deploy, Half, Silent, Ten)

    quote = await bank.payments.quote(new_id(), await bank.offer(5000))

    assert [(line.source, line.amount) for line in quote.lines] == [
        ("list-price", 5000),
        ("half", -2500),
        ("ten", -1000),
    ]
    assert (quote.total, quote.currency) == (1500, "EUR")


async def test_quote_never_falls_below_zero(deploy: Deploy) -> None:
    """Discounts over the price are made up for by a line, so that the lines still add up to the total."""
    bank = await with_rules(deploy, Ten, Ten)

    quote = await bank.payments.quote(new_id(), await bank.offer(1500))

    assert [(line.source, line.amount) for line in quote.lines] == [
        ("list-price", 1500),
        ("ten", -1000),
        ("ten", -1000),
        ("floor", 500),
    ]
    assert quote.total == sum(line.amount for line in quote.lines) == 0


@pytest.mark.parametrize("rule", [Broken, Hanging, Greedy])
async def test_quote_fails_with_a_rule_that_fails(deploy: Deploy, rule: type[PriceRule]) -> None:
    """A price is never guessed: the answer is 503 and names the rule."""
    bank = await with_rules(deploy, Half, rule)
    course = await bank.offer(5000)

    with pytest.raises(problems.Unavailable, match=rule.__name__):
        await bank.payments.quote(new_id(), course)
    problem = await bank.person().call("GET", f"/api/v1/payments/quote?course_id={course}", expect=503)
    assert rule.__name__ in problem["detail"]


async def test_quote_in_another_currency_is_refused(bank: DeployedPayments) -> None:
    """Wallets hold one currency; nothing is converted in silence."""
    course = bank.courses.add(5000, currency="USD")

    with pytest.raises(problems.Conflict, match="priced in USD, and this platform takes EUR only"):
        await bank.payments.quote(new_id(), course)
