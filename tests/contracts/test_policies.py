"""`price_rule/1` and `enrollment_policy/1`: the kits pass what is whole, and find each broken promise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from kernel import new_id
from kernel.contracts.enrollments import Verdict
from kernel.contracts.payments import PriceLine
from kernel.testing.contracts.policies import EnrollmentPolicyContract, PriceRuleContract
from tests.contracts.broken import Test, assert_found


@dataclass
class HalfPrice:
    """Takes half off for a course."""

    course: UUID = field(default_factory=new_id)

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        if course_id != self.course or price < 2:
            return ()
        return (PriceLine(label="Half price", amount=-(price // 2), source="half-price"),)


@dataclass
class RuleHarness:
    """A rule and the course that it is for."""

    rule: HalfPrice

    async def case(self) -> tuple[UUID, UUID, int, int]:
        return new_id(), self.rule.course, 1000, 500


class TestWholeRule(PriceRuleContract):
    """The rule above."""

    @pytest.fixture
    def harness(self) -> RuleHarness:
        return RuleHarness(HalfPrice())


class CountsQuotes(HalfPrice):
    """Is cheaper for those who ask first."""

    asked = 0

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        self.asked += 1
        return await super().lines(user_id, course_id, price) if self.asked < 3 else ()


class KnowsOneCourse(HalfPrice):
    """Takes others for an error."""

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        if course_id != self.course:
            raise LookupError(course_id)
        return await super().lines(user_id, course_id, price)


class TakesAFixedSum(HalfPrice):
    """Does not look at the price."""

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        return (PriceLine(label="Less", amount=-500, source="half-price"),) if course_id == self.course else ()


class NamesNoSource(HalfPrice):
    """Leaves open who made the price."""

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        found = await super().lines(user_id, course_id, price)
        return tuple(PriceLine(label=line.label, amount=line.amount, source="") for line in found)


RULES = PriceRuleContract()
BROKEN_RULES: dict[type[HalfPrice], Test[Any]] = {
    CountsQuotes: RULES.test_asking_changes_nothing,
    KnowsOneCourse: RULES.test_rule_knows_nothing_of_others,
    TakesAFixedSum: RULES.test_rule_never_goes_below_nothing,
    NamesNoSource: RULES.test_rule_says_which_steps_it_takes,
}


@pytest.mark.parametrize("broken", BROKEN_RULES, ids=lambda broken: broken.__name__)
async def test_kit_finds_what_a_rule_breaks(broken: type[HalfPrice]) -> None:
    """The test fails with the broken rule, and passes with the whole one."""
    await assert_found(BROKEN_RULES[broken], whole=RuleHarness(HalfPrice()), broken=RuleHarness(broken()))


@dataclass
class Adults:
    """Keeps one person out of one course."""

    child: UUID = field(default_factory=new_id)
    course: UUID = field(default_factory=new_id)

    async def judge(self, user_id: UUID, course_id: UUID) -> Verdict:
        if (user_id, course_id) == (self.child, self.course):
            return Verdict(allowed=False, reason="For adults only.")
        return Verdict(allowed=True)


@dataclass
class PolicyHarness:
    """A policy, and whom it keeps out."""

    policy: Adults

    async def allowed(self) -> tuple[UUID, UUID]:
        return new_id(), self.policy.course

    async def forbidden(self) -> tuple[UUID, UUID]:
        return self.policy.child, self.policy.course


class TestWholePolicy(EnrollmentPolicyContract):
    """The policy above."""

    @pytest.fixture
    def harness(self) -> PolicyHarness:
        return PolicyHarness(Adults())


class LetsAllIn(Adults):
    """Forgets what it is for."""

    async def judge(self, user_id: UUID, course_id: UUID) -> Verdict:
        return Verdict(allowed=True)


class KeepsAllOut(Adults):
    """Is too careful."""

    async def judge(self, user_id: UUID, course_id: UUID) -> Verdict:
        return Verdict(allowed=False, reason="For adults only.")


class SaysNotWhy(Adults):
    """Refuses without a reason."""

    async def judge(self, user_id: UUID, course_id: UUID) -> Verdict:
        return Verdict(allowed=(await super().judge(user_id, course_id)).allowed)


class AsksOnce(Adults):
    """Lets in whoever asks again."""

    refused = 0

    async def judge(self, user_id: UUID, course_id: UUID) -> Verdict:
        verdict = await super().judge(user_id, course_id)
        self.refused += not verdict.allowed
        return verdict if self.refused < 2 else Verdict(allowed=True)


class RaisesForTheUnknown(Adults):
    """Takes people whom it does not know for an error."""

    async def judge(self, user_id: UUID, course_id: UUID) -> Verdict:
        if course_id != self.course:
            raise LookupError(course_id)
        return await super().judge(user_id, course_id)


POLICIES = EnrollmentPolicyContract()
BROKEN_POLICIES: dict[type[Adults], Test[Any]] = {
    LetsAllIn: POLICIES.test_policy_says_why_it_refuses,
    KeepsAllOut: POLICIES.test_policy_allows_whom_it_should,
    SaysNotWhy: POLICIES.test_policy_says_why_it_refuses,
    AsksOnce: POLICIES.test_asking_changes_nothing,
    RaisesForTheUnknown: POLICIES.test_policy_knows_nothing_of_others,
}


@pytest.mark.parametrize("broken", BROKEN_POLICIES, ids=lambda broken: broken.__name__)
async def test_kit_finds_what_a_policy_breaks(broken: type[Adults]) -> None:
    """The test fails with the broken policy, and passes with the whole one."""
    await assert_found(BROKEN_POLICIES[broken], whole=PolicyHarness(Adults()), broken=PolicyHarness(broken()))
