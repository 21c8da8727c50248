"""`courses/1`: courses, their sections and lessons, and who may see them."""

from __future__ import annotations

from typing import ClassVar, Final, Protocol
from uuid import UUID

import msgspec

from kernel import Event
from kernel.capabilities import Capability, Contribution


class CourseOffer(msgspec.Struct, frozen=True, kw_only=True):
    """What someone who wants to take a course has to know of it."""

    id: UUID
    title: str
    status: str  #: `draft`, `in-review`, `published` or `archived`
    price: int  #: minor units of *currency*; 0 is free
    currency: str  #: ISO 4217
    instructors: tuple[UUID, ...]  #: the owner first
    version: int = 0  #: grows with each change: of two offers of one course the greater is the newer


class CourseCreated(Event, frozen=True, kw_only=True):
    """An instructor began a course."""

    name: ClassVar[str] = "courses.course_created.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID
    title: str
    instructor_id: UUID


class CourseChanged(Event, frozen=True, kw_only=True):
    """The description, price or other facts of a course are new."""

    name: ClassVar[str] = "courses.course_changed.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID
    title: str
    price: int
    currency: str


class CourseSubmitted(Event, frozen=True, kw_only=True):
    """A draft went to review."""

    name: ClassVar[str] = "courses.course_submitted.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID


class CourseReturned(Event, frozen=True, kw_only=True):
    """A reviewer sent the course back to its instructors, saying why."""

    name: ClassVar[str] = "courses.course_returned.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID
    reason: str


class CoursePublished(Event, frozen=True, kw_only=True):
    """Learners can find the course."""

    name: ClassVar[str] = "courses.course_published.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID
    title: str
    price: int
    currency: str
    instructor_ids: tuple[UUID, ...]


class CourseArchived(Event, frozen=True, kw_only=True):
    """The course is no longer offered; who has access keeps it."""

    name: ClassVar[str] = "courses.course_archived.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID


class CourseRevised(Event, frozen=True, kw_only=True):
    """An archived course is a draft again."""

    name: ClassVar[str] = "courses.course_revised.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID


class CourseDeleted(Event, frozen=True, kw_only=True):
    """A draft that was never published is gone, with its sections and lessons."""

    name: ClassVar[str] = "courses.course_deleted.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID


class InstructorsChanged(Event, frozen=True, kw_only=True):
    """Other people teach the course now."""

    name: ClassVar[str] = "courses.instructors_changed.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID
    instructor_ids: tuple[UUID, ...]


class SectionAdded(Event, frozen=True, kw_only=True):
    """A course has one section more."""

    name: ClassVar[str] = "courses.section_added.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID
    section_id: UUID
    title: str


class SectionChanged(Event, frozen=True, kw_only=True):
    """A section has a new title."""

    name: ClassVar[str] = "courses.section_changed.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID
    section_id: UUID
    title: str


class SectionRemoved(Event, frozen=True, kw_only=True):
    """A section and its lessons are gone."""

    name: ClassVar[str] = "courses.section_removed.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID
    section_id: UUID


class LessonAdded(Event, frozen=True, kw_only=True):
    """A section has one lesson more."""

    name: ClassVar[str] = "courses.lesson_added.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID
    section_id: UUID
    lesson_id: UUID
    title: str
    kind: str  #: `video`, `article` or `live`
    preview: bool


class LessonChanged(Event, frozen=True, kw_only=True):
    """A lesson's title, text or openness is new."""

    name: ClassVar[str] = "courses.lesson_changed.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID
    lesson_id: UUID
    title: str
    kind: str
    preview: bool


class LessonRemoved(Event, frozen=True, kw_only=True):
    """A lesson is gone."""

    name: ClassVar[str] = "courses.lesson_removed.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID
    lesson_id: UUID


class CourseReordered(Event, frozen=True, kw_only=True):
    """Sections or lessons stand in another order."""

    name: ClassVar[str] = "courses.course_reordered.v1"
    key: ClassVar[str] = "course_id"
    course_id: UUID


class Courses(Protocol):
    """Knows what is taught."""

    async def offer(self, course_id: UUID) -> CourseOffer | None:
        """Return the course in whichever state, None when there is none."""
        ...


class CourseAccess(Protocol):
    """Says who may open a course's lessons; the courses plugin asks every contributor."""

    async def may_open(self, user_id: UUID, course_id: UUID) -> bool:
        """Return whether the person may open the lessons now. An exception counts as no."""
        ...


COURSES: Final[Capability[Courses]] = Capability("courses", 1)
COURSE_ACCESS: Final[Contribution[CourseAccess]] = Contribution("course_access", 1)
