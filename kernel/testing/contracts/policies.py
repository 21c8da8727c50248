"""The kits of `price_rule/1` and `enrollment_policy/1`: what others may say about a purchase."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol
from uuid import UUID

from kernel import new_id
from kernel.contracts.enrollments import EnrollmentPolicy
from kernel.contracts.payments import PriceLine, PriceRule

PATIENCE: Final = 3.0  # seconds that a rule or policy has by default; later counts as a failure


class PriceRuleHarness(Protocol):
    """What the kit needs beside the rule."""

    @property
    def rule(self) -> PriceRule:
        """The rule."""
        ...

    async def case(self) -> tuple[UUID, UUID, int, int]:
        """Return a person, a course, its price, and what the rule makes of it, which is another price."""
        ...


class PriceRuleContract:
    """Supply the fixture `harness`: a `PriceRuleHarness` of a rule that nobody has used yet."""

    async def test_rule_says_which_steps_it_takes(self, harness: PriceRuleHarness) -> None:
        """Each step has a source and changes the price; together they lead to what is expected."""
        person, course, price, expected = await harness.case()

        lines = await _lines(harness, person, course, price)

        assert price + sum(line.amount for line in lines) == expected != price
        assert all(line.source and line.amount for line in lines)

    async def test_asking_changes_nothing(self, harness: PriceRuleHarness) -> None:
        """A quote is no purchase: whoever asks ten times gets the same price ten times, also at once."""
        person, course, price, _ = await harness.case()

        found = [await _lines(harness, person, course, price) for _ in range(5)]
        found += await asyncio.gather(*(_lines(harness, person, course, price) for _ in range(5)))

        assert all(lines == found[0] for lines in found)

    async def test_rule_knows_nothing_of_others(self, harness: PriceRuleHarness) -> None:
        """A course and a person that nobody knows are no error: a rule that raises keeps everybody from buying."""
        for price in (0, 1, 10_000):
            await _lines(harness, new_id(), new_id(), price)

    async def test_rule_never_goes_below_nothing(self, harness: PriceRuleHarness) -> None:
        """What costs nothing already is not made cheaper."""
        person, course, _, _ = await harness.case()

        assert sum(line.amount for line in await _lines(harness, person, course, 0)) >= 0


async def _lines(harness: PriceRuleHarness, person: UUID, course: UUID, price: int) -> tuple[PriceLine, ...]:
    async with asyncio.timeout(PATIENCE):
        return await harness.rule.lines(person, course, price)


class EnrollmentPolicyHarness(Protocol):
    """What the kit needs beside the policy."""

    @property
    def policy(self) -> EnrollmentPolicy:
        """The policy."""
        ...

    async def allowed(self) -> tuple[UUID, UUID]:
        """Return a person and a course in which the person may enrol."""
        ...

    async def forbidden(self) -> tuple[UUID, UUID]:
        """Return a person and a course in which the person may not enrol."""
        ...


class EnrollmentPolicyContract:
    """Supply the fixture `harness`: an `EnrollmentPolicyHarness` of a policy that nobody has used yet."""

    async def test_policy_allows_whom_it_should(self, harness: EnrollmentPolicyHarness) -> None:
        """Everybody's yes is needed, so a policy says yes where it has no objection."""
        async with asyncio.timeout(PATIENCE):
            assert (await harness.policy.judge(*await harness.allowed())).allowed is True

    async def test_policy_says_why_it_refuses(self, harness: EnrollmentPolicyHarness) -> None:
        """The reason is shown to the person."""
        async with asyncio.timeout(PATIENCE):
            verdict = await harness.policy.judge(*await harness.forbidden())

        assert verdict.allowed is False
        assert verdict.reason.strip()

    async def test_asking_changes_nothing(self, harness: EnrollmentPolicyHarness) -> None:
        """A policy is asked more than once for one purchase."""
        for pair in (await harness.allowed(), await harness.forbidden()):
            found = await asyncio.gather(*(harness.policy.judge(*pair) for _ in range(5)))

            assert all(verdict == found[0] for verdict in found)

    async def test_policy_knows_nothing_of_others(self, harness: EnrollmentPolicyHarness) -> None:
        """A course and a person that nobody knows are judged like any; an exception would count as no."""
        async with asyncio.timeout(PATIENCE):
            await harness.policy.judge(new_id(), new_id())
