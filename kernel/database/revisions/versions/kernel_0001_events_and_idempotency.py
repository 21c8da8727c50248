"""Outbox, inbox, inbox cursor and idempotency."""

import sqlalchemy as sa
from alembic import op

from kernel.database.types import Json, Timestamp

revision = "kernel_0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    create_outbox()
    create_inbox()
    create_inbox_cursor()
    create_idempotency()


def downgrade() -> None:
    op.drop_table("idempotency")
    op.drop_table("inbox_cursor")
    op.drop_table("inbox")
    op.drop_table("outbox")


def create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", BIG, sa.Identity(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("correlation_id", sa.Uuid(), nullable=False),
        sa.Column("causation_id", sa.Uuid()),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.Column("position", sa.BigInteger()),
        sa.Column("published_at", Timestamp()),
        sa.PrimaryKeyConstraint("seq", name="pk_outbox"),
        sa.UniqueConstraint("id", name="uq_outbox_id"),
        sa.UniqueConstraint("position", name="uq_outbox_position"),
    )
    create_partial_index("ix_outbox_waiting", "outbox", ["seq"], "position IS NULL")


def create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("seq", BIG, sa.Identity(), nullable=False),
        sa.Column("handler", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("correlation_id", sa.Uuid(), nullable=False),
        sa.Column("causation_id", sa.Uuid()),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", Timestamp(), nullable=False),
        sa.Column("handled_at", Timestamp()),
        sa.Column("last_error", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name="pk_inbox"),
        sa.UniqueConstraint("handler", "event_id", name="uq_inbox_handler_event_id"),
    )
    create_partial_index("ix_inbox_waiting", "inbox", ["handler", "source", "key", "seq"], "state = 'waiting'")
    create_partial_index("ix_inbox_due", "inbox", ["handler", "next_at", "seq"], "state = 'waiting'")
    create_partial_index("ix_inbox_dead", "inbox", ["seq"], "state = 'dead'")
    op.create_index("ix_inbox_handled", "inbox", ["handled_at"])


def create_inbox_cursor() -> None:
    op.create_table(
        "inbox_cursor",
        sa.Column("handler", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("handler", "source", name="pk_inbox_cursor"),
    )


def create_idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("headers", Json),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "route", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_created", "idempotency", ["created_at"])


def create_partial_index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)
