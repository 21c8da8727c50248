"""Who is told, what is to be told, and what came of it."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Json, Timestamp, new_metadata

metadata: Final = new_metadata()

WAITING: Final = "waiting"  # to be sent, for the first time or again
DELIVERED: Final = "delivered"
FAILED: Final = "failed"  # as often as is tried
HELD: Final = "held"  # its endpoint was disabled meanwhile

#: Events from `since` on are delivered. `secret` and `former_secret` are sealed. `failing_since` is when the first
#: try failed since one succeeded; after failures that are the receiver's as a whole, all wait until `paused_until`.
endpoints: Final = sa.Table(
    "endpoints",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("url", sa.Text, nullable=False),
    Column("description", sa.Text, nullable=False),
    Column("event_types", Json, nullable=False),
    Column("secret", sa.Text, nullable=False),
    Column("former_secret", sa.Text),
    Column("former_until", Timestamp),
    Column("created_at", Timestamp, nullable=False),
    Column("since", Timestamp, nullable=False),
    Column("disabled_at", Timestamp),
    Column("disabled_reason", sa.Text, nullable=False),
    Column("failing_since", Timestamp),
    Column("failures", sa.Integer, nullable=False),
    Column("paused_until", Timestamp),
)

#: One row for each event that at least one endpoint is told of; `id` is the event's.
messages: Final = sa.Table(
    "messages",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("type", sa.Text, nullable=False),
    Column("time", Timestamp, nullable=False),
    Column("data", sa.LargeBinary, nullable=False),
    Column("created_at", Timestamp, nullable=False, index=True),
)

#: `next_at` is when the delivery is due, and while a process sends it, when its claim ends. `claim` counts claims, so
#: that only the last one says what came of it. The last columns are of the last try.
deliveries: Final = sa.Table(
    "deliveries",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("endpoint_id", sa.Uuid, sa.ForeignKey("endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("message_id", sa.Uuid, nullable=False, index=True),
    Column("state", sa.Text, nullable=False),
    Column("attempts", sa.Integer, nullable=False),
    Column("claim", sa.Integer, nullable=False),
    Column("created_at", Timestamp, nullable=False, index=True),
    Column("next_at", Timestamp, nullable=False),
    Column("finished_at", Timestamp),
    Column("status", sa.Integer),
    Column("milliseconds", sa.Integer),
    Column("error", sa.Text, nullable=False),
    Column("excerpt", sa.Text, nullable=False),
    sa.UniqueConstraint("endpoint_id", "message_id"),
    sa.Index("ix_deliveries_endpoint_id_id", "endpoint_id", "id"),
    sa.Index("ix_deliveries_endpoint_id_state_id", "endpoint_id", "state", "id"),
    sa.Index(
        "ix_deliveries_waiting",
        "next_at",
        "id",
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    ),
)
