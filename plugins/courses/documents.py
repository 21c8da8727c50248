"""What is shown of a course, rendered when it is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from kernel.contracts.courses import CourseOffer
from plugins.courses.states import Status

Kind = Literal["video", "article", "live"]
Level = Literal["beginner", "intermediate", "advanced", "all"]


class InstructorView(msgspec.Struct, frozen=True, kw_only=True):
    """Who teaches."""

    id: UUID
    name: str


class LessonOutline(msgspec.Struct, frozen=True, kw_only=True):
    """A lesson as everyone who sees the course sees it."""

    id: UUID
    title: str
    kind: Kind
    preview: bool
    summary: str


class SectionView(msgspec.Struct, frozen=True, kw_only=True):
    """A section and its lessons in order."""

    id: UUID
    title: str
    lessons: tuple[LessonOutline, ...]


class CourseCard(msgspec.Struct, frozen=True, kw_only=True):
    """A course in a list."""

    id: UUID
    title: str
    summary: str
    category: str
    level: Level
    language: str
    tags: tuple[str, ...]
    price: int  #: minor units of *currency*
    currency: str
    status: Status
    instructors: tuple[InstructorView, ...]
    lesson_count: int
    published_at: datetime | None


class CourseDocument(CourseCard, frozen=True, kw_only=True):
    """A course by itself."""

    description: str
    version: int  #: what `ETag` says; send it back in `If-Match` to change only what you have seen
    created_at: datetime
    updated_at: datetime
    sections: tuple[SectionView, ...]
    review_note: str | None = None  #: why a reviewer gave the course back, until it is submitted again


class CourseRow(msgspec.Struct, frozen=True):
    """The facts of a course that stand in its own row."""

    id: UUID
    title: str
    summary: str
    description: str
    category: str
    level: Level
    language: str
    price: int
    currency: str
    status: Status
    version: int
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    review_note: str | None
    offer: bytes

    def instructors(self) -> tuple[UUID, ...]:
        """Return who taught the course when it was last rendered, the owner first."""
        return decode_offer(self.offer).instructors if self.offer else ()


class SectionRow(msgspec.Struct, frozen=True):
    """A section without its lessons."""

    id: UUID
    title: str


class LessonRow(msgspec.Struct, frozen=True):
    """A lesson without its text."""

    id: UUID
    section_id: UUID
    title: str
    kind: Kind
    preview: bool
    summary: str


@dataclass(frozen=True, kw_only=True)
class Parts:
    """All of a course that stands in other rows than its own, each in its order."""

    tags: Sequence[str]
    instructors: Sequence[InstructorView]
    sections: Sequence[SectionRow]
    lessons: Sequence[LessonRow]


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """The JSON of a course, for lists, for itself and for other plugins."""

    card: bytes
    document: bytes
    offer: bytes


_decode_offer = msgspec.json.Decoder(CourseOffer).decode
_decode_document = msgspec.json.Decoder(CourseDocument).decode


def decode_offer(offer: bytes) -> CourseOffer:
    """Return the offer that `render` encoded."""
    return _decode_offer(offer)


def render(course: CourseRow, parts: Parts) -> Rendered:
    """Return the JSON of *course* and its *parts*."""
    document = CourseDocument(
        id=course.id,
        title=course.title,
        summary=course.summary,
        category=course.category,
        level=course.level,
        language=course.language,
        tags=tuple(parts.tags),
        price=course.price,
        currency=course.currency,
        status=course.status,
        instructors=tuple(parts.instructors),
        lesson_count=len(parts.lessons),
        published_at=course.published_at,
        description=course.description,
        version=course.version,
        created_at=course.created_at,
        updated_at=course.updated_at,
        sections=tuple(_sections(parts)),
        review_note=course.review_note,
    )
    card = CourseCard(**{name: getattr(document, name) for name in CourseCard.__struct_fields__})
    return Rendered(
        card=msgspec.json.encode(card),
        document=msgspec.json.encode(document),
        offer=msgspec.json.encode(_offer(document)),
    )


def without_note(document: bytes) -> bytes:
    """Return the *document* for those who hold the course: what a reviewer wrote is for who works on it."""
    return msgspec.json.encode(msgspec.structs.replace(_decode_document(document), review_note=None))


def missing(course: CourseRow, parts: Parts) -> list[str]:
    """Return the names of what the course lacks to be shown to learners."""
    facts = {"summary": course.summary, "description": course.description, "category": course.category}
    lacking = [name for name, value in facts.items() if not value.strip()]
    return lacking if parts.lessons else [*lacking, "lessons"]


def _offer(document: CourseDocument) -> CourseOffer:
    return CourseOffer(
        id=document.id,
        title=document.title,
        status=document.status,
        price=document.price,
        currency=document.currency,
        instructors=tuple(person.id for person in document.instructors),
        version=document.version,
    )


def _sections(parts: Parts) -> Iterator[SectionView]:
    by_section: dict[UUID, list[LessonOutline]] = {section.id: [] for section in parts.sections}
    for row in parts.lessons:
        lesson = LessonOutline(id=row.id, title=row.title, kind=row.kind, preview=row.preview, summary=row.summary)
        by_section[row.section_id].append(lesson)
    for section in parts.sections:
        yield SectionView(id=section.id, title=section.title, lessons=tuple(by_section[section.id]))
