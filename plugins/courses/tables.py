"""The tables of courses."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Timestamp, new_metadata

metadata: Final = new_metadata()

_PUBLISHED: Final = sa.text("status = 'published'")
_IN_REVIEW: Final = sa.text("status = 'in-review'")
_NAMELESS: Final = sa.text("display_name = ''")

#: `card`, `document` and `offer` are JSON rendered from the other columns and tables in the transaction of each
#: change, so that a read is one row sent as it is.
courses: Final = sa.Table(
    "courses",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("title", sa.Text, nullable=False),
    Column("summary", sa.Text, nullable=False),
    Column("description", sa.Text, nullable=False),
    Column("category", sa.Text, nullable=False),
    Column("level", sa.Text, nullable=False),
    Column("language", sa.Text, nullable=False),
    Column("price", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("status", sa.Text, nullable=False),
    Column("version", sa.Integer, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Column("submitted_at", Timestamp),
    Column("published_at", Timestamp),
    Column("review_note", sa.Text),
    Column("card", sa.LargeBinary, nullable=False),
    Column("document", sa.LargeBinary, nullable=False),
    Column("offer", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("price >= 0", name="price"),
    sa.Index("ix_courses_catalogue", "published_at", "id", postgresql_where=_PUBLISHED, sqlite_where=_PUBLISHED),
    sa.Index(
        "ix_courses_category",
        "category",
        "published_at",
        "id",
        postgresql_where=_PUBLISHED,
        sqlite_where=_PUBLISHED,
    ),
    sa.Index("ix_courses_review", "submitted_at", "id", postgresql_where=_IN_REVIEW, sqlite_where=_IN_REVIEW),
)


def _course_id(*, primary_key: bool = False) -> Column[object]:
    reference = sa.ForeignKey("courses.id", ondelete="CASCADE")
    return Column("course_id", sa.Uuid, reference, primary_key=primary_key, nullable=False)


course_tags: Final = sa.Table(
    "course_tags",
    metadata,
    Column("tag", sa.Text, primary_key=True),
    _course_id(primary_key=True),
    sa.Index("ix_course_tags_course", "course_id"),
)

#: The first one that joined and is still there owns the course.
course_instructors: Final = sa.Table(
    "course_instructors",
    metadata,
    Column("user_id", sa.Uuid, primary_key=True),
    _course_id(primary_key=True),
    Column("position", sa.Integer, nullable=False),
    sa.Index("ix_course_instructors_course", "course_id"),
)

#: People's names as `users` tells them; everyone's, because a change of name may come before the course that
#: shows it.
people: Final = sa.Table(
    "people",
    metadata,
    Column("user_id", sa.Uuid, primary_key=True),
    Column("display_name", sa.Text, nullable=False),  #: blank while nobody has told it
    sa.Index("ix_people_nameless", "user_id", postgresql_where=_NAMELESS, sqlite_where=_NAMELESS),
)

#: Courses that show an old name until they are rendered anew, and the event that told the new one.
outdated: Final = sa.Table(
    "outdated",
    metadata,
    _course_id(primary_key=True),
    Column("event_id", sa.Uuid, primary_key=True),
)

sections: Final = sa.Table(
    "sections",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    _course_id(),
    Column("title", sa.Text, nullable=False),
    Column("position", sa.Integer, nullable=False),
    sa.Index("ix_sections_course", "course_id", "position"),
)

lessons: Final = sa.Table(
    "lessons",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    _course_id(),
    Column("section_id", sa.Uuid, sa.ForeignKey("sections.id", ondelete="CASCADE"), nullable=False),
    Column("title", sa.Text, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("preview", sa.Boolean, nullable=False),
    Column("summary", sa.Text, nullable=False),
    Column("text", sa.Text, nullable=False),
    Column("position", sa.Integer, nullable=False),
    sa.Index("ix_lessons_course", "course_id"),
    sa.Index("ix_lessons_section", "section_id", "position"),
)
