"""Courses with a number of seats, and who has one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "enrollments_0005"
down_revision = "enrollments_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "terms",
        sa.Column("course_id", sa.Uuid, nullable=False),
        sa.Column("seats", sa.Integer, nullable=False),
        sa.Column("taken", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("course_id", name=op.f("pk_terms")),
        sa.CheckConstraint("seats >= 0", name=op.f("ck_terms_seats")),
        sa.CheckConstraint("taken >= 0", name=op.f("ck_terms_taken")),
    )
    op.create_table(
        "seats",
        sa.Column("course_id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("course_id", "user_id", name=op.f("pk_seats")),
    )


def downgrade() -> None:
    op.drop_table("seats")
    op.drop_table("terms")
