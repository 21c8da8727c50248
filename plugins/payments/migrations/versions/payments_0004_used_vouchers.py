"""Which vouchers of a batch were used is found without looking at the others.

The database keeps the new column by itself, so processes of the version before run on beside it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "payments_0004"
down_revision = "payments_0003"


def upgrade() -> None:
    with op.batch_alter_table("vouchers") as batch:
        batch.add_column(sa.Column("used", sa.Boolean, sa.Computed("uses > 0", persisted=True)))
    op.create_index(
        "ix_vouchers_used",
        "vouchers",
        ["batch_id"],
        postgresql_where=sa.text("used"),
        sqlite_where=sa.text("used = 1"),
    )


def downgrade() -> None:
    op.drop_index("ix_vouchers_used", "vouchers")
    with op.batch_alter_table("vouchers") as batch:
        batch.drop_column("used")
