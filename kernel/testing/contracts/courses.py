"""The kit of `courses/1`: the service by `CoursesContract`, its HTTP surface by `CoursesHttpContract`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol, TypeVar
from uuid import UUID

from kernel import Event, new_id
from kernel.contracts.courses import (
    CourseArchived,
    CourseChanged,
    CourseCreated,
    CourseDeleted,
    CourseOffer,
    CoursePublished,
    Courses,
)
from kernel.testing.clients import Client

E = TypeVar("E", bound=Event)

PRICE: Final = 1900  # minor units
PATH: Final = "/api/v1/courses"


class CoursesHarness(Protocol):
    """What the kit needs beside the provider itself; who creates, changes and publishes is the provider's affair."""

    @property
    def courses(self) -> Courses:
        """The provider."""
        ...

    async def create(self, price: int) -> tuple[UUID, UUID]:
        """Make a draft that could be published; return its id and its instructor's."""
        ...

    async def change(self, course_id: UUID, *, price: int) -> None:
        """Let the course cost another price."""
        ...

    async def publish(self, course_id: UUID) -> None:
        """Put the draft on offer."""
        ...

    async def archive(self, course_id: UUID) -> None:
        """Offer the published course no longer."""
        ...

    async def delete(self, course_id: UUID) -> None:
        """Remove the draft."""
        ...

    async def events(self) -> Sequence[Event]:
        """Return all events that the provider has published."""
        ...


class CoursesHttpHarness(CoursesHarness, Protocol):
    """What the kit needs to look at the HTTP surface."""

    def client(self, role: str | None = None) -> Client:
        """Return a client for somebody with *role*, or for a stranger."""
        ...


class CoursesContract:
    """Supply the fixture `harness`: a `CoursesHarness` of a provider that nobody has used yet."""

    async def test_unknown_course_is_none(self, harness: CoursesHarness) -> None:
        """What is not there is no error: others may ask for courses that are gone."""
        assert await harness.courses.offer(new_id()) is None

    async def test_draft_is_offered_as_what_it_is(self, harness: CoursesHarness) -> None:
        """Others learn of a course in whichever state, and of its state."""
        course, instructor = await harness.create(PRICE)

        offer = await _offer(harness, course)

        assert (offer.id, offer.status, offer.price) == (course, "draft", PRICE)
        assert offer.instructors[0] == instructor
        assert len(offer.currency) == 3
        assert offer.title

    async def test_published_course_is_told_of(self, harness: CoursesHarness) -> None:
        """What the event says is what the offer says."""
        course, instructor = await harness.create(PRICE)
        await harness.publish(course)

        offer = await _offer(harness, course)
        (created,) = await _told(harness, CourseCreated)
        (published,) = await _told(harness, CoursePublished)

        assert offer.status == "published"
        assert (created.course_id, created.instructor_id) == (course, instructor)
        assert published == CoursePublished(
            course_id=course,
            title=offer.title,
            price=offer.price,
            currency=offer.currency,
            instructor_ids=offer.instructors,
        )

    async def test_new_price_is_offered_and_told_of(self, harness: CoursesHarness) -> None:
        """Who sells the course learns of it either way."""
        course, _ = await harness.create(PRICE)
        await harness.change(course, price=2 * PRICE)

        offer = await _offer(harness, course)
        changed = (await _told(harness, CourseChanged))[-1]

        assert offer.price == 2 * PRICE
        assert (changed.course_id, changed.price, changed.currency) == (course, 2 * PRICE, offer.currency)

    async def test_version_grows_with_each_change(self, harness: CoursesHarness) -> None:
        """So that of two offers everybody knows the newer one; looking changes nothing."""
        course, _ = await harness.create(PRICE)
        seen = [await _offer(harness, course), await _offer(harness, course)]
        await harness.change(course, price=1)
        seen.append(await _offer(harness, course))
        await harness.publish(course)
        seen.append(await _offer(harness, course))

        first, again, changed, published = (offer.version for offer in seen)
        assert first == again < changed < published

    async def test_archived_course_is_known_still(self, harness: CoursesHarness) -> None:
        """Who has access keeps it, so others go on asking for the course."""
        course, _ = await harness.create(PRICE)
        await harness.publish(course)
        await harness.archive(course)

        assert (await _offer(harness, course)).status == "archived"
        assert [event.course_id for event in await _told(harness, CourseArchived)] == [course]

    async def test_deleted_draft_is_gone(self, harness: CoursesHarness) -> None:
        """It is as if it had never been, but for the event."""
        course, _ = await harness.create(PRICE)
        await harness.delete(course)

        assert await harness.courses.offer(course) is None
        assert [event.course_id for event in await _told(harness, CourseDeleted)] == [course]

    async def test_courses_are_told_apart(self, harness: CoursesHarness) -> None:
        """A change of one leaves the others as they are."""
        (one, _), (other, _) = await harness.create(PRICE), await harness.create(PRICE)
        before = await _offer(harness, other)
        await harness.change(one, price=1)

        assert await _offer(harness, other) == before

    async def test_many_may_ask_at_once(self, harness: CoursesHarness) -> None:
        """Each gets the course that was asked for."""
        made = [(await harness.create(PRICE + number))[0] for number in range(3)]

        found = await asyncio.gather(*(_offer(harness, course) for course in made * 20))

        assert [(offer.id, offer.price - PRICE) for offer in found] == list(zip(made, range(3), strict=True)) * 20


class CoursesHttpContract:
    """Supply the fixture `harness`: a `CoursesHttpHarness` of a provider that nobody has used yet."""

    async def test_catalogue_shows_published_courses_to_everybody(self, harness: CoursesHttpHarness) -> None:
        """Neither drafts nor archived courses are in it."""
        (published, _), (_draft, _), (archived, _) = [await harness.create(PRICE) for _ in range(3)]
        for course in (published, archived):
            await harness.publish(course)
        await harness.archive(archived)

        shown = await harness.client().call("GET", PATH)

        assert [item["id"] for item in shown["items"]] == [str(published)]
        assert (shown["items"][0]["price"], len(shown["items"][0]["currency"])) == (PRICE, 3)

    async def test_catalogue_comes_in_pages(self, harness: CoursesHttpHarness) -> None:
        """Each course is on one page, and the last page has no next."""
        made = [(await harness.create(PRICE))[0] for _ in range(3)]
        for course in made:
            await harness.publish(course)
        client, seen = harness.client(), []
        cursor: dict[str, str] = {}
        for _ in made:
            page = await client.call("GET", PATH, params={"limit": "1", **cursor})
            seen += [item["id"] for item in page["items"]]
            cursor = {"cursor": page["next"]} if page["next"] else {}

        assert sorted(seen) == sorted(map(str, made))
        assert cursor == {}

    async def test_published_course_is_open_to_everybody(self, harness: CoursesHttpHarness) -> None:
        """Whoever thinks of buying it may read what it is."""
        course, _ = await harness.create(PRICE)
        await harness.publish(course)

        shown = await harness.client().call("GET", f"{PATH}/{course}")

        assert (shown["id"], shown["price"], shown["status"]) == (str(course), PRICE, "published")

    async def test_draft_answers_strangers_like_a_course_that_is_not_there(self, harness: CoursesHttpHarness) -> None:
        """Nobody learns what is being prepared."""
        course, _ = await harness.create(PRICE)
        for client in (harness.client(), harness.client("student")):
            of_draft = await client.call("GET", f"{PATH}/{course}", expect=404)
            of_nothing = await client.call("GET", f"{PATH}/{new_id()}", expect=404)

            assert (of_draft["type"], of_draft["title"]) == (of_nothing["type"], of_nothing["title"])


async def _offer(harness: CoursesHarness, course_id: UUID) -> CourseOffer:
    offer = await harness.courses.offer(course_id)
    assert offer is not None
    return offer


async def _told(harness: CoursesHarness, kind: type[E]) -> list[E]:
    return [event for event in await harness.events() if isinstance(event, kind)]
