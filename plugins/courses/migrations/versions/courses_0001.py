"""Courses, sections and lessons."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "courses_0001"
down_revision = None
branch_labels = None
depends_on = None

_PUBLISHED = sa.text("status = 'published'")
_IN_REVIEW = sa.text("status = 'in-review'")


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _course_id() -> sa.Column[object]:
    return sa.Column("course_id", sa.Uuid, nullable=False)


def _of_course(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_course_id")
    return sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "courses",
        sa.Column("id", sa.Uuid, nullable=False),
        *_text("title", "summary", "description", "category", "level", "language"),
        sa.Column("price", sa.BigInteger, nullable=False),
        *_text("currency", "status"),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("updated_at", Timestamp, nullable=False),
        sa.Column("submitted_at", Timestamp),
        sa.Column("published_at", Timestamp),
        *(sa.Column(name, sa.LargeBinary, nullable=False) for name in ("card", "document", "offer")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_courses_price")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courses")),
    )
    for name, columns, condition in (
        ("ix_courses_catalogue", ["published_at", "id"], _PUBLISHED),
        ("ix_courses_category", ["category", "published_at", "id"], _PUBLISHED),
        ("ix_courses_review", ["submitted_at", "id"], _IN_REVIEW),
    ):
        op.create_index(name, "courses", columns, postgresql_where=condition, sqlite_where=condition)
    op.create_table(
        "course_tags",
        *_text("tag"),
        _course_id(),
        _of_course("course_tags"),
        sa.PrimaryKeyConstraint("tag", "course_id", name=op.f("pk_course_tags")),
    )
    op.create_index("ix_course_tags_course", "course_tags", ["course_id"])
    op.create_table(
        "course_instructors",
        sa.Column("user_id", sa.Uuid, nullable=False),
        _course_id(),
        sa.Column("position", sa.Integer, nullable=False),
        _of_course("course_instructors"),
        sa.PrimaryKeyConstraint("user_id", "course_id", name=op.f("pk_course_instructors")),
    )
    op.create_index("ix_course_instructors_course", "course_instructors", ["course_id"])
    op.create_table(
        "people",
        sa.Column("user_id", sa.Uuid, nullable=False),
        *_text("display_name"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_people")),
    )
    op.create_table(
        "sections",
        sa.Column("id", sa.Uuid, nullable=False),
        _course_id(),
        *_text("title"),
        sa.Column("position", sa.Integer, nullable=False),
        _of_course("sections"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sections")),
    )
    op.create_index("ix_sections_course", "sections", ["course_id", "position"])
    op.create_table(
        "lessons",
        sa.Column("id", sa.Uuid, nullable=False),
        _course_id(),
        sa.Column("section_id", sa.Uuid, nullable=False),
        *_text("title", "kind"),
        sa.Column("preview", sa.Boolean, nullable=False),
        *_text("summary", "text"),
        sa.Column("position", sa.Integer, nullable=False),
        _of_course("lessons"),
        sa.ForeignKeyConstraint(
            ["section_id"], ["sections.id"], name=op.f("fk_lessons_section_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lessons")),
    )
    op.create_index("ix_lessons_course", "lessons", ["course_id"])
    op.create_index("ix_lessons_section", "lessons", ["section_id", "position"])


def downgrade() -> None:
    for table in ("lessons", "sections", "people", "course_instructors", "course_tags", "courses"):
        op.drop_table(table)
