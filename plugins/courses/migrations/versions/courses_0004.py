"""Why a reviewer gave a course back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "courses_0004"
down_revision = "courses_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("courses", sa.Column("review_note", sa.Text))


def downgrade() -> None:
    op.drop_column("courses", "review_note")
