"""Charges of nothing, and vouchers with who used them."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Json, Timestamp, new_metadata

metadata: Final = new_metadata()

#: `asked` is what the caller wanted to have charged: the same purchase must not come with another sum.
charges: Final = sa.Table(
    "charges",
    metadata,
    Column("purchase_id", sa.Uuid, primary_key=True),
    Column("id", sa.Uuid, nullable=False),
    Column("user_id", sa.Uuid, nullable=False),
    Column("course_id", sa.Uuid, nullable=False),
    Column("asked", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("voucher_id", sa.Uuid),
    sa.Index("ix_charges_person", "user_id", "purchase_id"),
)

#: Charges whose voucher was given its use back: each once, under the key of its refund.
returns: Final = sa.Table(
    "returns",
    metadata,
    Column("key", sa.Text, primary_key=True),
    Column("purchase_id", sa.Uuid, nullable=False, unique=True),
    Column("created_at", Timestamp, nullable=False),
)

#: What is null does not belong to the kind of voucher.
batches: Final = sa.Table(
    "batches",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("count", sa.Integer, nullable=False),
    Column("kind", sa.Text, nullable=False, server_default="top-up"),
    Column("amount", sa.BigInteger),
    Column("percent", sa.Integer),
    Column("price", sa.BigInteger),
    Column("course_ids", Json, nullable=False, server_default="[]"),
    Column("credit", sa.Text, server_default="refundable"),
    Column("currency", sa.Text, nullable=False),
    Column("max_uses", sa.Integer, nullable=False),
    Column("max_uses_per_person", sa.Integer, nullable=False, server_default=sa.text("1")),
    Column("valid_from", Timestamp),
    Column("valid_until", Timestamp),
    Column("tag", sa.Text, nullable=False),
    Column("comment", sa.Text, nullable=False),
    Column("prefix", sa.Text, nullable=False),
    Column("created_by", sa.Uuid, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("withdrawn_at", Timestamp),
    Column("request_key", sa.Text, nullable=False),
    Column("request_hash", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("created_by", "request_key"),
    sa.Index("ix_batches_maker", "created_by", "id"),
)

#: A code stands here only as its HMAC under a key that no database holds. `uses` is of all people together.
vouchers: Final = sa.Table(
    "vouchers",
    metadata,
    Column("code_hash", sa.LargeBinary, primary_key=True),
    Column("id", sa.Uuid, nullable=False),
    Column("batch_id", sa.Uuid, nullable=False, index=True),
    Column("uses", sa.Integer, nullable=False),
    sa.UniqueConstraint("id"),
)

#: How often each person used a voucher.
uses: Final = sa.Table(
    "uses",
    metadata,
    Column("voucher_id", sa.Uuid, primary_key=True),
    Column("user_id", sa.Uuid, primary_key=True),
    Column("uses", sa.Integer, nullable=False),
    sa.Index("ix_uses_person", "user_id", "voucher_id"),
)

#: Top-ups. `id` grows with time, so that the redemptions of a person are also a statement.
redemptions: Final = sa.Table(
    "redemptions",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("user_id", sa.Uuid, nullable=False),
    Column("voucher_id", sa.Uuid, nullable=False),
    Column("batch_id", sa.Uuid, nullable=False, index=True),
    Column("amount", sa.BigInteger, nullable=False),
    Column("credit", sa.Text, nullable=False, server_default="refundable"),
    Column("request_key", sa.Text),
    Column("created_at", Timestamp, nullable=False),
    sa.UniqueConstraint("user_id", "request_key"),
    sa.Index("ix_redemptions_person", "user_id", "id"),
)
