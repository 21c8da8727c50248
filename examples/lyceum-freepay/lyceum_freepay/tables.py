"""Charges of nothing, and vouchers with who redeemed them."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Timestamp, new_metadata

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
)

batches: Final = sa.Table(
    "batches",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("count", sa.Integer, nullable=False),
    Column("amount", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("max_uses", sa.Integer, nullable=False),
    Column("valid_from", Timestamp),
    Column("valid_until", Timestamp),
    Column("tag", sa.Text, nullable=False),
    Column("comment", sa.Text, nullable=False),
    Column("prefix", sa.Text, nullable=False),
    Column("created_by", sa.Uuid, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("request_key", sa.Text, nullable=False),
    Column("request_hash", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("created_by", "request_key"),
)

#: A code stands here only as its HMAC under a key that no database holds.
vouchers: Final = sa.Table(
    "vouchers",
    metadata,
    Column("code_hash", sa.LargeBinary, primary_key=True),
    Column("id", sa.Uuid, nullable=False),
    Column("batch_id", sa.Uuid, nullable=False),
    Column("uses", sa.Integer, nullable=False),
)

#: `id` grows with time, so that the redemptions of a person are also a statement.
redemptions: Final = sa.Table(
    "redemptions",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("user_id", sa.Uuid, nullable=False),
    Column("voucher_id", sa.Uuid, nullable=False),
    Column("batch_id", sa.Uuid, nullable=False, index=True),
    Column("amount", sa.BigInteger, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    sa.UniqueConstraint("user_id", "voucher_id"),
)
