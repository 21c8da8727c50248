"""Purchases whose money was refused free their key; what was answered is not kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Json

revision = "enrollments_0004"
down_revision = "enrollments_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE purchases SET key = 'refused ' || CAST(id AS TEXT)"
        " WHERE state = 'failed' AND reason = 'insufficient-funds'"
    )
    op.drop_column("purchases", "refusal")


def downgrade() -> None:
    op.add_column("purchases", sa.Column("refusal", Json))
