"""Courses that show an old name until they are rendered anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "courses_0002"
down_revision = "courses_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outdated",
        sa.Column("course_id", sa.Uuid, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("course_id", "event_id", name=op.f("pk_outdated")),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_outdated_course_id"), ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("outdated")
