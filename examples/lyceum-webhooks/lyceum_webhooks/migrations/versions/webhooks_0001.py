"""Endpoints, messages and deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Json, Timestamp

revision = "webhooks_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "endpoints",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("event_types", Json, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("former_secret", sa.Text),
        sa.Column("former_until", Timestamp),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("since", Timestamp, nullable=False),
        sa.Column("disabled_at", Timestamp),
        sa.Column("disabled_reason", sa.Text, nullable=False),
        sa.Column("failing_since", Timestamp),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("paused_until", Timestamp),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoints")),
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("time", Timestamp, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index("ix_messages_created_at", "messages", ["created_at"])
    _create_deliveries()


def downgrade() -> None:
    for table in ("deliveries", "messages", "endpoints"):
        op.drop_table(table)


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("endpoint_id", sa.Uuid, nullable=False),
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claim", sa.Integer, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("next_at", Timestamp, nullable=False),
        sa.Column("finished_at", Timestamp),
        sa.Column("status", sa.Integer),
        sa.Column("milliseconds", sa.Integer),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("excerpt", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["endpoints.id"], name=op.f("fk_deliveries_endpoint_id"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("endpoint_id", "message_id", name=op.f("uq_deliveries_endpoint_id_message_id")),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index("ix_deliveries_message_id", "deliveries", ["message_id"])
    op.create_index("ix_deliveries_created_at", "deliveries", ["created_at"])
    op.create_index("ix_deliveries_endpoint_id_id", "deliveries", ["endpoint_id", "id"])
    op.create_index("ix_deliveries_endpoint_id_state_id", "deliveries", ["endpoint_id", "state", "id"])
    op.create_index(
        "ix_deliveries_waiting", "deliveries", ["next_at", "id"], postgresql_where=waiting, sqlite_where=waiting
    )
