"""What requests about courses may hold."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from kernel import PageQuery
from plugins.courses.documents import Kind, Level

Title = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Summary = Annotated[str, Meta(max_length=500)]
Description = Annotated[str, Meta(max_length=20_000)]
Category = Annotated[str, Meta(max_length=60, pattern=r"^([a-z0-9]+(-[a-z0-9]+)*)?$(?!\n)")]
Language = Annotated[str, Meta(max_length=35, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$(?!\n)")]  # BCP 47
Price = Annotated[int, Meta(ge=0, le=100_000_000)]  # minor units
Tag = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$(?!\n)")]
Tags = Annotated[tuple[Tag, ...], Meta(max_length=20)]
Text = Annotated[str, Meta(max_length=100_000)]  # Markdown
Ids = Annotated[tuple[UUID, ...], Meta(max_length=500)]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON of a request."""


class NewCourse(Body, frozen=True, kw_only=True):
    """A draft to begin."""

    title: Title
    summary: Summary = ""
    description: Description = ""
    category: Category = ""
    level: Level = "all"
    language: Language = "en"
    price: Price = 0
    tags: Tags = ()


class CourseChange(Body, frozen=True, kw_only=True):
    """New facts of a course; what is left out stays."""

    title: Title | UnsetType = UNSET
    summary: Summary | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    category: Category | UnsetType = UNSET
    level: Level | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    price: Price | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET


class SectionBody(Body, frozen=True, kw_only=True):
    """A section."""

    title: Title


class NewLesson(Body, frozen=True, kw_only=True):
    """A lesson to add at the end of a section."""

    title: Title
    kind: Kind
    preview: bool = False
    summary: Summary = ""
    text: Text = ""


class LessonChange(Body, frozen=True, kw_only=True):
    """New facts of a lesson; what is left out stays. A new section gets it at its end."""

    section_id: UUID | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    preview: bool | UnsetType = UNSET
    summary: Summary | UnsetType = UNSET
    text: Text | UnsetType = UNSET


class SectionOrder(Body, frozen=True, kw_only=True):
    """Every section of the course, each once."""

    section_ids: Ids


class LessonOrder(Body, frozen=True, kw_only=True):
    """Every lesson of the section, each once."""

    lesson_ids: Ids


class NewInstructor(Body, frozen=True, kw_only=True):
    """A person who is to teach the course too."""

    user_id: UUID


class Reason(Body, frozen=True, kw_only=True):
    """Why."""

    reason: Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\S")]


class CatalogueQuery(PageQuery, frozen=True, kw_only=True):
    """Which published courses to list."""

    category: Category | UnsetType = UNSET
    level: Level | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    tag: Tag | UnsetType = UNSET
    instructor: UUID | UnsetType = UNSET
    max_price: Price | UnsetType = UNSET

    def filters(self) -> dict[str, object]:
        """Return the filters that were given."""
        return {name: value for name in _FILTERS if (value := getattr(self, name)) is not UNSET}


_FILTERS: Final = tuple(name for name in CatalogueQuery.__struct_fields__ if name not in PageQuery.__struct_fields__)


def given(change: msgspec.Struct) -> dict[str, object]:
    """Return the fields of *change* that the request holds, and those that have a default."""
    return {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
