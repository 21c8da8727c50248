"""An in-memory `courses/1`, and a plugin that provides it where a test leaves the real one out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from kernel import Context, Manifest, Plugin, Provide, hookimpl, new_id
from kernel.contracts.courses import COURSES, CourseOffer


class InMemoryCourses:
    """Knows the courses that a test made."""

    def __init__(self, ctx: Context[Any] | None = None) -> None:
        self._offers: dict[UUID, CourseOffer] = {}

    async def offer(self, course_id: UUID) -> CourseOffer | None:
        return self._offers.get(course_id)

    def add(self, price: int, *, status: str = "published", currency: str = "EUR") -> UUID:
        """Make a course; return its id."""
        offer = CourseOffer(
            id=new_id(), title="A course", status=status, price=price, currency=currency, instructors=(new_id(),)
        )
        self._offers[offer.id] = offer
        return offer.id


class InMemoryCoursesPlugin(Plugin):
    """Provides `courses/1` from memory; `deployment.platform.services.get(COURSES)` is the `InMemoryCourses`."""

    manifest: ClassVar[Manifest] = Manifest(name="test-courses", version="1", provides=(COURSES,))

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(COURSES, lambda: contextlib.nullcontext(ctx.own(InMemoryCourses)))
