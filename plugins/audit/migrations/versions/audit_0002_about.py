"""The person whom an act concerns, where its subject is a grant, say, or a purchase."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "audit_0002"
down_revision = "audit_0001"


def upgrade() -> None:
    op.add_column("acts", sa.Column("about", sa.Uuid))
    op.create_index("ix_acts_about", "acts", ["about", "happened_at", "number"])


def downgrade() -> None:
    """Drop the column.

    Raises:
        RuntimeError: acts have a value there, which their links cover: without it the log could not be verified.
    """
    if op.get_bind().execute(sa.text("SELECT 1 FROM acts WHERE about IS NOT NULL LIMIT 1")).first():
        raise RuntimeError("acts say whom they are about, and their links cover it; restore a backup instead")
    op.drop_index("ix_acts_about", "acts")
    op.drop_column("acts", "about")
