"""Vouchers of each kind, credit of both kinds, and uses that go back.

Stop the processes of the version before first: it counts one use of a voucher for each person, and no more.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Json, Timestamp

revision = "freepay_0002"
down_revision = "freepay_0001"


def upgrade() -> None:
    _add_tables()
    op.add_column("charges", sa.Column("voucher_id", sa.Uuid))
    with op.batch_alter_table("batches") as table:
        table.add_column(sa.Column("kind", sa.Text, nullable=False, server_default="top-up"))
        table.add_column(sa.Column("percent", sa.Integer))
        table.add_column(sa.Column("price", sa.BigInteger))
        table.add_column(sa.Column("course_ids", Json, nullable=False, server_default="[]"))
        table.add_column(sa.Column("credit", sa.Text, server_default="refundable"))
        table.add_column(sa.Column("max_uses_per_person", sa.Integer, nullable=False, server_default=sa.text("1")))
        table.add_column(sa.Column("withdrawn_at", Timestamp))
        table.alter_column("amount", existing_type=sa.BigInteger, nullable=True)
    with op.batch_alter_table("vouchers") as table:
        table.create_unique_constraint(op.f("uq_vouchers_id"), ["id"])
    op.create_index("ix_vouchers_batch_id", "vouchers", ["batch_id"])
    with op.batch_alter_table("redemptions") as table:
        table.add_column(sa.Column("credit", sa.Text, nullable=False, server_default="refundable"))
        table.add_column(sa.Column("request_key", sa.Text))
        table.drop_constraint(op.f("uq_redemptions_user_id_voucher_id"), type_="unique")
        table.create_unique_constraint(op.f("uq_redemptions_user_id_request_key"), ["user_id", "request_key"])


def downgrade() -> None:
    """Forget what the version before does not know. It refuses where somebody redeemed a voucher twice."""
    op.execute(
        "DELETE FROM vouchers WHERE batch_id IN"
        " (SELECT id FROM batches WHERE kind <> 'top-up' OR withdrawn_at IS NOT NULL)"
    )
    op.execute("DELETE FROM batches WHERE kind <> 'top-up'")
    with op.batch_alter_table("redemptions") as table:
        table.drop_constraint(op.f("uq_redemptions_user_id_request_key"), type_="unique")
        table.create_unique_constraint(op.f("uq_redemptions_user_id_voucher_id"), ["user_id", "voucher_id"])
        table.drop_column("request_key")
        table.drop_column("credit")
    op.drop_index("ix_vouchers_batch_id", "vouchers")
    with op.batch_alter_table("vouchers") as table:
        table.drop_constraint(op.f("uq_vouchers_id"), type_="unique")
    with op.batch_alter_table("batches") as table:
        table.alter_column("amount", existing_type=sa.BigInteger, nullable=False)
        for name in ("withdrawn_at", "max_uses_per_person", "credit", "course_ids", "price", "percent", "kind"):
            table.drop_column(name)
    with op.batch_alter_table("charges") as table:
        table.drop_column("voucher_id")
    op.drop_table("uses")
    op.drop_table("returns")


def _add_tables() -> None:
    op.create_table(
        "returns",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("purchase_id", sa.Uuid, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_returns")),
        sa.UniqueConstraint("purchase_id", name=op.f("uq_returns_purchase_id")),
    )
    op.create_table(
        "uses",
        sa.Column("voucher_id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("voucher_id", "user_id", name=op.f("pk_uses")),
    )
    op.execute("INSERT INTO uses (voucher_id, user_id, uses) SELECT voucher_id, user_id, 1 FROM redemptions")
