"""The kits of `enrollments/1` and `course_access/1`: who may open which course."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar
from uuid import UUID

from kernel import Event, new_id
from kernel.contracts.courses import CourseAccess
from kernel.contracts.enrollments import AccessEnded, Enrollments, UserEnrolled
from kernel.testing.clients import Client
from kernel.testing.clock import MovableClock

E = TypeVar("E", bound=Event)

PATH: Final = "/api/v1/enrollments"


class EnrollmentsHarness(Protocol):
    """What the kit needs beside the provider itself; by which ways people come to courses is the provider's affair."""

    @property
    def enrollments(self) -> Enrollments:
        """The provider."""
        ...

    @property
    def clock(self) -> MovableClock:
        """The clock that the provider goes by."""
        ...

    async def course(self) -> UUID:
        """Return a course on offer that nobody takes yet."""
        ...

    async def enrol(self, user_id: UUID, course_id: UUID, *, until: datetime | None = None) -> None:
        """Give the person access in whichever way, for ever or *until* a time."""
        ...

    async def end(self, user_id: UUID, course_id: UUID) -> None:
        """Take away all access that the person has."""
        ...

    async def events(self) -> Sequence[Event]:
        """Return all events that the provider has published."""
        ...


class EnrollmentsHttpHarness(EnrollmentsHarness, Protocol):
    """What the kit needs to look at the HTTP surface."""

    def client(self, user_id: UUID | None = None) -> Client:
        """Return a client for a learner, or for a stranger."""
        ...


class EnrollmentsContract:
    """Supply the fixture `harness`: an `EnrollmentsHarness` of a provider that nobody has used yet."""

    async def test_nobody_has_access_from_the_beginning(self, harness: EnrollmentsHarness) -> None:
        """A reason is given, for people to read."""
        access = await harness.enrollments.access(new_id(), await harness.course())

        assert not access.allowed
        assert access.reason

    async def test_unknown_course_is_open_to_nobody(self, harness: EnrollmentsHarness) -> None:
        """It is no error to ask for it."""
        assert not (await harness.enrollments.access(new_id(), new_id())).allowed

    async def test_who_is_enrolled_has_access(self, harness: EnrollmentsHarness) -> None:
        """Without an end, where none was set; and the others are told, once."""
        person, course = new_id(), await harness.course()
        await harness.enrol(person, course)

        access = await harness.enrollments.access(person, course)
        (told,) = await _told(harness, UserEnrolled)

        assert (access.allowed, access.until) == (True, None)
        assert access.reason == told.source
        assert (told.user_id, told.course_id) == (person, course)

    async def test_access_is_of_one_person_and_one_course(self, harness: EnrollmentsHarness) -> None:
        """It says nothing of other people, nor of other courses."""
        person, course, other = new_id(), await harness.course(), await harness.course()
        await harness.enrol(person, course)

        assert not (await harness.enrollments.access(person, other)).allowed
        assert not (await harness.enrollments.access(new_id(), course)).allowed

    async def test_access_ends_when_its_time_has_come(self, harness: EnrollmentsHarness) -> None:
        """To the second, whether or not anything has happened meanwhile."""
        person, course = new_id(), await harness.course()
        until = harness.clock.now() + timedelta(hours=1)
        await harness.enrol(person, course, until=until)
        before = await harness.enrollments.access(person, course)

        harness.clock.advance(timedelta(hours=1).total_seconds())

        assert (before.allowed, before.until) == (True, until)
        assert not (await harness.enrollments.access(person, course)).allowed

    async def test_access_that_was_taken_away_is_gone(self, harness: EnrollmentsHarness) -> None:
        """The others are told, once."""
        person, course = new_id(), await harness.course()
        await harness.enrol(person, course)
        await harness.end(person, course)

        assert not (await harness.enrollments.access(person, course)).allowed
        assert [(one.user_id, one.course_id) for one in await _told(harness, AccessEnded)] == [(person, course)]

    async def test_taking_away_touches_nobody_else(self, harness: EnrollmentsHarness) -> None:
        """Neither the person's other courses, nor the others of the course."""
        person, neighbour, course, other = new_id(), new_id(), await harness.course(), await harness.course()
        for user_id, course_id in ((person, course), (person, other), (neighbour, course)):
            await harness.enrol(user_id, course_id)
        await harness.end(person, course)

        assert (await harness.enrollments.access(person, other)).allowed
        assert (await harness.enrollments.access(neighbour, course)).allowed

    async def test_access_comes_back(self, harness: EnrollmentsHarness) -> None:
        """Who left may come again."""
        person, course = new_id(), await harness.course()
        await harness.enrol(person, course)
        await harness.end(person, course)
        await harness.enrol(person, course)

        assert (await harness.enrollments.access(person, course)).allowed

    async def test_many_may_ask_at_once(self, harness: EnrollmentsHarness) -> None:
        """Each gets the answer for the person that was asked for."""
        people, course = [new_id() for _ in range(4)], await harness.course()
        for person in people[:2]:
            await harness.enrol(person, course)

        found = await asyncio.gather(*(harness.enrollments.access(person, course) for person in people * 10))

        assert [access.allowed for access in found] == [True, True, False, False] * 10


class EnrollmentsHttpContract:
    """Supply the fixture `harness`: an `EnrollmentsHttpHarness` of a provider that nobody has used yet."""

    async def test_person_asks_for_the_own_access(self, harness: EnrollmentsHttpHarness) -> None:
        """What `explain` says is what the service says."""
        person, course = new_id(), await harness.course()
        client = harness.client(person)
        before = await client.call("GET", f"{PATH}/access/explain", params={"course_id": str(course)})
        await harness.enrol(person, course)
        after = await client.call("GET", f"{PATH}/access/explain", params={"course_id": str(course)})

        assert (before["access"]["allowed"], after["access"]["allowed"]) == (False, True)

    async def test_person_lists_the_own_courses(self, harness: EnrollmentsHttpHarness) -> None:
        """And nobody else's."""
        person, course = new_id(), await harness.course()
        await harness.enrol(person, course)
        await harness.enrol(new_id(), await harness.course())

        shown = await harness.client(person).call("GET", f"{PATH}/mine")

        assert [item["course_id"] for item in shown["items"]] == [str(course)]

    async def test_strangers_are_asked_who_they_are(self, harness: EnrollmentsHttpHarness) -> None:
        """Access is somebody's."""
        await harness.client().call("GET", f"{PATH}/mine", expect=401)


class CourseAccessHarness(Protocol):
    """What the kit of `course_access/1` needs beside the contributor."""

    @property
    def course_access(self) -> CourseAccess:
        """The contributor."""
        ...

    async def course(self) -> UUID:
        """Return a course that nobody may open yet."""
        ...

    async def enrol(self, user_id: UUID, course_id: UUID, *, until: datetime | None = None) -> None:
        """Let the person in by whatever the contributor goes by."""
        ...

    async def end(self, user_id: UUID, course_id: UUID) -> None:
        """Let the person in no longer."""
        ...


class CourseAccessContract:
    """Supply the fixture `harness`: a `CourseAccessHarness` of a contributor that nobody has used yet."""

    async def test_contributor_lets_in_only_whom_it_knows(self, harness: CourseAccessHarness) -> None:
        """A yes of one contributor is enough, so each says yes only where it is sure."""
        person, course, other = new_id(), await harness.course(), await harness.course()
        await harness.enrol(person, course)

        assert await harness.course_access.may_open(person, course) is True
        assert await harness.course_access.may_open(person, other) is False
        assert await harness.course_access.may_open(new_id(), course) is False
        assert await harness.course_access.may_open(person, new_id()) is False

    async def test_contributor_lets_nobody_in_any_longer_than_it_should(self, harness: CourseAccessHarness) -> None:
        """The answer is of now."""
        person, course = new_id(), await harness.course()
        await harness.enrol(person, course)
        await harness.end(person, course)

        assert await harness.course_access.may_open(person, course) is False


async def _told(harness: EnrollmentsHarness, kind: type[E]) -> list[E]:
    return [event for event in await harness.events() if isinstance(event, kind)]
