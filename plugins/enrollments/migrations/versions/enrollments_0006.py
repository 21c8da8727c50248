"""The kind of voucher that a purchase is made with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "enrollments_0006"
down_revision = "enrollments_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("purchases", sa.Column("voucher_kind", sa.Text))


def downgrade() -> None:
    op.drop_column("purchases", "voucher_kind")
