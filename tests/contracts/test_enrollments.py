"""`enrollments/1` and `course_access/1`: kept by ours and by the fake, and by none that breaks a promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from kernel import Event
from kernel.contracts.courses import COURSE_ACCESS, CourseAccess
from kernel.contracts.enrollments import ENROLLMENTS, Access, AccessEnded, Enrollments, UserEnrolled
from kernel.testing import witness
from kernel.testing.clients import Client
from kernel.testing.clock import MovableClock
from kernel.testing.contracts.enrollments import (
    CourseAccessContract,
    EnrollmentsContract,
    EnrollmentsHttpContract,
)
from kernel.testing.contracts.in_memory import InMemoryEnrollmentsHarness
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.enrollments import InMemoryEnrollments
from tests.contracts.broken import Test, assert_found
from tests.plugins.enrollments.shop import Shop, open_shop


@dataclass
class ShopHarness:
    """Our provider, worked by an administrator over HTTP."""

    shop: Shop

    @property
    def enrollments(self) -> Enrollments:
        return self.shop.deployment.platform.services.get(ENROLLMENTS)

    @property
    def course_access(self) -> CourseAccess:
        (contributor,) = self.shop.deployment.platform.services.all(COURSE_ACCESS)
        return contributor

    @property
    def clock(self) -> MovableClock:
        return self.shop.deployment.clock

    async def course(self) -> UUID:
        return self.shop.course()

    async def enrol(self, user_id: UUID, course_id: UUID, *, until: datetime | None = None) -> None:
        facts = {} if until is None else {"ends_at": until.isoformat()}
        await self.shop.grant(self.client(user_id), course_id, **facts)

    async def end(self, user_id: UUID, course_id: UUID) -> None:
        shown = await self.shop.access(self.client(user_id), course_id)
        for grant in shown["grants"]:
            if grant["counts"]:
                await self.shop.change(grant["grant"]["id"], "revoke")

    async def events(self) -> Sequence[Event]:
        await self.shop.deployment.settle()
        return self.shop.deployment.platform.context(witness.NAME).own(witness.Witnessed).events

    def client(self, user_id: UUID | None = None) -> Client:
        return self.shop.deployment.client("student" if user_id else None, user=user_id)


@pytest_asyncio.fixture
async def harness(deploy: Deploy) -> ShopHarness:
    return ShopHarness(await open_shop(deploy, witness.witness_of(AccessEnded, UserEnrolled)))


class TestOurService(EnrollmentsContract):
    """The service."""


class TestOurHttpSurface(EnrollmentsHttpContract):
    """What clients see."""


class TestOurCourseAccess(CourseAccessContract):
    """What courses ask."""


class TestTheFake(EnrollmentsContract, CourseAccessContract):
    """The services; there is no HTTP."""

    @pytest.fixture
    def harness(self) -> InMemoryEnrollmentsHarness:
        return InMemoryEnrollmentsHarness()


class LetsEverybodyIn(InMemoryEnrollments):
    """Asks nobody."""

    async def access(self, user_id: UUID, course_id: UUID) -> Access:
        return Access(allowed=True, reason="staff")


class NeverEnds(InMemoryEnrollments):
    """Does not look at the clock."""

    async def access(self, user_id: UUID, course_id: UUID) -> Access:
        found = self._enrolled.get((user_id, course_id))
        return await super().access(user_id, course_id) if found is None else Access(allowed=True, reason="staff")


class TakesAllAway(InMemoryEnrollments):
    """Ends more than was asked for."""

    def end(self, user_id: UUID, course_id: UUID, reason: str = "revoked") -> None:
        super().end(user_id, course_id, reason)
        self._enrolled.clear()


class EndsSilently(InMemoryEnrollments):
    """Tells nobody that somebody is out."""

    def end(self, user_id: UUID, course_id: UUID, reason: str = "revoked") -> None:
        super().end(user_id, course_id, reason)
        self.events.pop()


class EnrolsSilently(InMemoryEnrollments):
    """Tells nobody that somebody is in."""

    def enrol(self, user_id: UUID, course_id: UUID, *, until: datetime | None = None) -> None:
        super().enrol(user_id, course_id, until=until)
        self.events.pop()


class KnowsNoCourses(InMemoryEnrollments):
    """Lets whoever takes one course into all."""

    async def may_open(self, user_id: UUID, course_id: UUID) -> bool:
        return any(person == user_id for person, _ in self._enrolled)


class RemembersTooLong(InMemoryEnrollments):
    """Keeps an answer that is true no more."""

    def end(self, user_id: UUID, course_id: UUID, reason: str = "revoked") -> None:
        found = self._enrolled[user_id, course_id]
        super().end(user_id, course_id, reason)
        self._enrolled[user_id, course_id] = found


KIT, ACCESS_KIT = EnrollmentsContract(), CourseAccessContract()
FAULTS: dict[type[InMemoryEnrollments], Test[Any]] = {
    LetsEverybodyIn: KIT.test_nobody_has_access_from_the_beginning,
    NeverEnds: KIT.test_access_ends_when_its_time_has_come,
    TakesAllAway: KIT.test_taking_away_touches_nobody_else,
    EndsSilently: KIT.test_access_that_was_taken_away_is_gone,
    EnrolsSilently: KIT.test_who_is_enrolled_has_access,
    KnowsNoCourses: ACCESS_KIT.test_contributor_lets_in_only_whom_it_knows,
    RemembersTooLong: ACCESS_KIT.test_contributor_lets_nobody_in_any_longer_than_it_should,
}


@pytest.mark.parametrize("broken", FAULTS, ids=lambda broken: broken.__name__)
async def test_kit_finds_what_a_provider_breaks(broken: type[InMemoryEnrollments]) -> None:
    """The test fails with the broken provider, and passes with the whole one."""
    await assert_found(FAULTS[broken], whole=InMemoryEnrollmentsHarness(), broken=InMemoryEnrollmentsHarness(broken))
