"""Errands that handlers leave for after their commit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "enrollments_0003"
down_revision = "enrollments_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "errands",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Uuid, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_errands")),
    )


def downgrade() -> None:
    op.drop_table("errands")
