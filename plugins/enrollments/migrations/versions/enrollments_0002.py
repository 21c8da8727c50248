"""When the beginning of a grant is to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "enrollments_0002"
down_revision = "enrollments_0001"
branch_labels = None
depends_on = None

_BEGINNING = sa.text("announce_at IS NOT NULL AND state = 'active' AND ended_at IS NULL")


def upgrade() -> None:
    op.add_column("grants", sa.Column("announce_at", Timestamp))
    op.create_index(
        "ix_grants_beginning", "grants", ["announce_at"], postgresql_where=_BEGINNING, sqlite_where=_BEGINNING
    )


def downgrade() -> None:
    op.drop_index("ix_grants_beginning", "grants")
    op.drop_column("grants", "announce_at")
