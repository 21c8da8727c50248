"""When it was remarked on that a purchase takes too long."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "enrollments_0007"
down_revision = "enrollments_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("purchases", sa.Column("alarmed_at", Timestamp))


def downgrade() -> None:
    op.drop_column("purchases", "alarmed_at")
