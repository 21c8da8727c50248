"""How often the receipt of an erasure was asked to be sent, and when it was given up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "privacy_0002"
down_revision = "privacy_0001"


def upgrade() -> None:
    op.add_column("erasures", sa.Column("mails", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.add_column("erasures", sa.Column("unsent_at", Timestamp))
    op.execute("UPDATE erasures SET mails = 1 WHERE receipt_id IS NOT NULL")


def downgrade() -> None:
    op.drop_column("erasures", "unsent_at")
    op.drop_column("erasures", "mails")
