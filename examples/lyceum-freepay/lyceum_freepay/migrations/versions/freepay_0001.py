"""Charges and vouchers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "freepay_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "charges",
        *_ids("purchase_id", "id", "user_id", "course_id"),
        sa.Column("asked", sa.BigInteger, nullable=False),
        *_texts("currency"),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("purchase_id", name=op.f("pk_charges")),
    )
    op.create_table(
        "batches",
        *_ids("id"),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        *_texts("currency"),
        sa.Column("max_uses", sa.Integer, nullable=False),
        sa.Column("valid_from", Timestamp),
        sa.Column("valid_until", Timestamp),
        *_texts("tag", "comment", "prefix"),
        *_ids("created_by"),
        sa.Column("created_at", Timestamp, nullable=False),
        *_texts("request_key"),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("created_by", "request_key", name=op.f("uq_batches_created_by_request_key")),
    )
    op.create_table(
        "vouchers",
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        *_ids("id", "batch_id"),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_vouchers")),
    )
    op.create_table(
        "redemptions",
        *_ids("id", "user_id", "voucher_id", "batch_id"),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemptions")),
        sa.UniqueConstraint("user_id", "voucher_id", name=op.f("uq_redemptions_user_id_voucher_id")),
    )
    op.create_index("ix_redemptions_batch_id", "redemptions", ["batch_id"])


def downgrade() -> None:
    for table in ("redemptions", "vouchers", "batches", "charges"):
        op.drop_table(table)


def _ids(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Uuid, nullable=False) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]
