"""The devices of accounts, of which there are none yet: each account's next sign-in makes its first one known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "auth_0005"
down_revision = "auth_0004"


def upgrade() -> None:
    op.create_table(
        "devices",
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("seen_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "digest", name=op.f("pk_devices")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_devices_account_id"), ondelete="CASCADE"
        ),
    )
    op.create_index("ix_devices_seen", "devices", ["seen_at"])


def downgrade() -> None:
    op.drop_table("devices")
