"""`courses/1`: kept by our provider on both ends and by the fake, and by none of those that break a promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio

from kernel import Event
from kernel.contracts import courses as contract
from kernel.contracts.courses import CourseOffer, Courses
from kernel.testing import witness
from kernel.testing.clients import Client
from kernel.testing.contracts.courses import CoursesContract, CoursesHttpContract
from kernel.testing.contracts.in_memory import InMemoryCoursesHarness
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.courses import InMemoryCourses
from tests.contracts.broken import Test, assert_found
from tests.plugins.courses.school import COURSES, School, open_school

EVENTS = (
    contract.CourseArchived,
    contract.CourseChanged,
    contract.CourseCreated,
    contract.CourseDeleted,
    contract.CoursePublished,
)


@dataclass
class SchoolHarness:
    """Our provider, worked by an instructor and an administrator over HTTP."""

    school: School
    provider: Courses

    @property
    def courses(self) -> Courses:
        return self.provider

    async def create(self, price: int) -> tuple[UUID, UUID]:
        course = await self.school.draft(price=price)
        assert self.school.instructor.user is not None
        return UUID(course["id"]), self.school.instructor.user

    async def change(self, course_id: UUID, *, price: int) -> None:
        await self.school.instructor.call("PATCH", f"{COURSES}/{course_id}", {"price": price})

    async def publish(self, course_id: UUID) -> None:
        await self.school.instructor.call("POST", f"{COURSES}/{course_id}/submit")
        await self.school.admin.call("POST", f"{COURSES}/{course_id}/publish")

    async def archive(self, course_id: UUID) -> None:
        await self.school.admin.call("POST", f"{COURSES}/{course_id}/archive")

    async def delete(self, course_id: UUID) -> None:
        await self.school.instructor.call("DELETE", f"{COURSES}/{course_id}")

    async def events(self) -> Sequence[Event]:
        await self.school.deployment.settle()
        return self.school.deployment.platform.context(witness.NAME).own(witness.Witnessed).events

    def client(self, role: str | None = None) -> Client:
        return self.school.deployment.client(role)


@pytest_asyncio.fixture
async def harness(deploy: Deploy) -> SchoolHarness:
    school = await open_school(deploy, witness.witness_of(*EVENTS))
    return SchoolHarness(school, school.deployment.platform.services.get(contract.COURSES))


class TestOurService(CoursesContract):
    """The service."""


class TestOurHttpSurface(CoursesHttpContract):
    """What clients see."""


class TestTheFake(CoursesContract):
    """The service; there is no HTTP."""

    @pytest.fixture
    def harness(self) -> InMemoryCoursesHarness:
        return InMemoryCoursesHarness()


class RaisesForTheUnknown(InMemoryCourses):
    """Takes a course that is gone for an error."""

    async def offer(self, course_id: UUID) -> CourseOffer | None:
        return self._offers[course_id]


class HidesDrafts(InMemoryCourses):
    """Knows only what is on offer."""

    async def offer(self, course_id: UUID) -> CourseOffer | None:
        found = await super().offer(course_id)
        return found if found is not None and found.status == "published" else None


class StandsStill(InMemoryCourses):
    """Forgets to count changes."""

    async def offer(self, course_id: UUID) -> CourseOffer | None:
        found = await super().offer(course_id)
        return None if found is None else msgspec.structs.replace(found, version=0)


class TellsOldPrices(InMemoryCourses):
    """Publishes a change before it is made."""

    def change(self, course_id: UUID, *, price: int) -> None:
        super().change(course_id, price=price)
        self.events[-1] = msgspec.structs.replace(self.events[-1], price=0)


class PublishesSilently(InMemoryCourses):
    """Tells nobody of a course that is on offer."""

    def publish(self, course_id: UUID) -> None:
        super().publish(course_id)
        self.events.pop()


class KeepsTheDeleted(InMemoryCourses):
    """Archives where it should delete."""

    def delete(self, course_id: UUID) -> None:
        self._renew(course_id, status="archived")


KIT = CoursesContract()
FAULTS: dict[type[InMemoryCourses], Test[Any]] = {
    RaisesForTheUnknown: KIT.test_unknown_course_is_none,
    HidesDrafts: KIT.test_draft_is_offered_as_what_it_is,
    StandsStill: KIT.test_version_grows_with_each_change,
    TellsOldPrices: KIT.test_new_price_is_offered_and_told_of,
    PublishesSilently: KIT.test_published_course_is_told_of,
    KeepsTheDeleted: KIT.test_deleted_draft_is_gone,
}


@pytest.mark.parametrize("broken", FAULTS, ids=lambda broken: broken.__name__)
async def test_kit_finds_what_a_provider_breaks(broken: type[InMemoryCourses]) -> None:
    """The test fails with the broken provider, and passes with the whole one."""
    await assert_found(FAULTS[broken], whole=InMemoryCoursesHarness(), broken=InMemoryCoursesHarness(broken))
