"""One grant for each purchase by the grant's own id, which the purchase names: a second index held it once more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "enrollments_0008"
down_revision = "enrollments_0007"
branch_labels = None
depends_on = None

_PURCHASED = sa.text("purchase_id IS NOT NULL")


def upgrade() -> None:
    op.drop_index("uq_grants_purchase", "grants")


def downgrade() -> None:
    op.create_index(
        "uq_grants_purchase",
        "grants",
        ["purchase_id"],
        unique=True,
        postgresql_where=_PURCHASED,
        sqlite_where=_PURCHASED,
    )
