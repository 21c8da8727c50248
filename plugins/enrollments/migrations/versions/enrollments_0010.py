"""The keys with which vouchers were used, each for one request."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "enrollments_0010"
down_revision = "enrollments_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "voucher_requests",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_voucher_requests")),
    )


def downgrade() -> None:
    op.drop_table("voucher_requests")
