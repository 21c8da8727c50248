"""An in-memory `courses/1`, and a plugin that provides it where a test leaves the real one out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from kernel import Context, Event, Manifest, Plugin, Provide, hookimpl, new_id
from kernel.contracts.courses import (
    COURSES,
    CourseArchived,
    CourseChanged,
    CourseCreated,
    CourseDeleted,
    CourseOffer,
    CoursePublished,
)


class InMemoryCourses:
    """Knows the courses that a test made."""

    def __init__(self, ctx: Context[Any] | None = None) -> None:
        self.events: list[Event] = []
        self._offers: dict[UUID, CourseOffer] = {}

    async def offer(self, course_id: UUID) -> CourseOffer | None:
        return self._offers.get(course_id)

    def add(
        self, price: int, *, status: str = "published", currency: str = "EUR", instructor: UUID | None = None
    ) -> UUID:
        """Make a course that is in *status* from the beginning; return its id."""
        teacher = instructor or new_id()
        offer = CourseOffer(
            id=new_id(), title="A course", status=status, price=price, currency=currency, instructors=(teacher,)
        )
        self._offers[offer.id] = offer
        self.events.append(CourseCreated(course_id=offer.id, title=offer.title, instructor_id=teacher))
        return offer.id

    def change(self, course_id: UUID, *, price: int) -> None:
        """Let the course cost another price."""
        offer = self._renew(course_id, price=price)
        self.events.append(
            CourseChanged(course_id=course_id, title=offer.title, price=offer.price, currency=offer.currency)
        )

    def publish(self, course_id: UUID) -> None:
        """Put a draft on offer."""
        offer = self._renew(course_id, status="published")
        self.events.append(
            CoursePublished(
                course_id=course_id,
                title=offer.title,
                price=offer.price,
                currency=offer.currency,
                instructor_ids=offer.instructors,
            )
        )

    def archive(self, course_id: UUID) -> None:
        """Offer the course no longer."""
        self._renew(course_id, status="archived")
        self.events.append(CourseArchived(course_id=course_id))

    def delete(self, course_id: UUID) -> None:
        """Remove a draft."""
        del self._offers[course_id]
        self.events.append(CourseDeleted(course_id=course_id))

    def _renew(self, course_id: UUID, **facts: object) -> CourseOffer:
        old = self._offers[course_id]
        self._offers[course_id] = new = msgspec.structs.replace(old, version=old.version + 1, **facts)
        return new


class InMemoryCoursesPlugin(Plugin):
    """Provides `courses/1` from memory; `deployment.platform.services.get(COURSES)` is the `InMemoryCourses`."""

    manifest: ClassVar[Manifest] = Manifest(name="test-courses", version="1", provides=(COURSES,))

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(COURSES, lambda: contextlib.nullcontext(ctx.own(InMemoryCourses)))
