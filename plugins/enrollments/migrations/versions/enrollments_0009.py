"""Refunds that somebody has asked for, and what became of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "enrollments_0009"
down_revision = "enrollments_0008"
branch_labels = None
depends_on = None

_ASKED = sa.text("state = 'asked'")


def upgrade() -> None:
    op.create_table(
        "refund_requests",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        sa.Column("purchase_id", sa.Uuid, nullable=False),
        sa.Column("amount", sa.BigInteger),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.Uuid),
        sa.Column("acting_as", sa.Uuid),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("tried_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_refund_requests")),
    )
    op.create_index(
        "ix_refund_requests_asked", "refund_requests", ["tried_at"], postgresql_where=_ASKED, sqlite_where=_ASKED
    )


def downgrade() -> None:
    op.drop_table("refund_requests")
