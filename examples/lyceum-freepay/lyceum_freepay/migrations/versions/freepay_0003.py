"""Whatever is known of a person is found by an index."""

from __future__ import annotations

from alembic import op

revision = "freepay_0003"
down_revision = "freepay_0002"


def upgrade() -> None:
    op.create_index("ix_charges_person", "charges", ["user_id", "purchase_id"])
    op.create_index("ix_uses_person", "uses", ["user_id", "voucher_id"])
    op.create_index("ix_redemptions_person", "redemptions", ["user_id", "id"])
    op.create_index("ix_batches_maker", "batches", ["created_by", "id"])


def downgrade() -> None:
    op.drop_index("ix_batches_maker", "batches")
    op.drop_index("ix_redemptions_person", "redemptions")
    op.drop_index("ix_uses_person", "uses")
    op.drop_index("ix_charges_person", "charges")
