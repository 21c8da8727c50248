"""Exports and erasures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Json, Timestamp

revision = "privacy_0001"
down_revision = None

_WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    create_exports()
    create_erasures()
    op.create_table(
        "contributors",
        sa.Column("plugin", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("plugin", name=op.f("pk_contributors")),
    )


def downgrade() -> None:
    for table in ("contributors", "erasure_steps", "erasures", "export_chunks", "exports"):
        op.drop_table(table)


def create_exports() -> None:
    op.create_table(
        "exports",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", Timestamp, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("ready_at", Timestamp),
        sa.Column("expires_at", Timestamp, nullable=False),
        sa.Column("size", sa.BigInteger),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
    )
    op.create_index("ix_exports_person", "exports", ["user_id", "id"])
    op.create_index(
        "uq_exports_waiting", "exports", ["user_id"], unique=True, postgresql_where=_WAITING, sqlite_where=_WAITING
    )
    op.create_index("ix_exports_due", "exports", ["next_at", "id"], postgresql_where=_WAITING, sqlite_where=_WAITING)
    op.create_index("ix_exports_expires", "exports", ["expires_at"])
    op.create_table(
        "export_chunks",
        sa.Column("export_id", sa.Uuid, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("export_id", "attempt", "number", name=op.f("pk_export_chunks")),
        sa.ForeignKeyConstraint(
            ["export_id"], ["exports.id"], ondelete="CASCADE", name=op.f("fk_export_chunks_export_id")
        ),
    )


def create_erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("sealed_email", sa.Text),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("next_at", Timestamp),
        sa.Column("again_at", Timestamp),
        sa.Column("receipt_id", sa.Uuid),
        sa.Column("done_at", Timestamp),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        sa.UniqueConstraint("user_id", name=op.f("uq_erasures_user_id")),
    )
    op.create_index("ix_erasures_due", "erasures", ["next_at"])
    op.create_index("ix_erasures_state", "erasures", ["state", "created_at"])
    op.create_table(
        "erasure_steps",
        sa.Column("erasure_id", sa.Uuid, nullable=False),
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", Timestamp, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("receipt", Json),
        sa.Column("answered_at", Timestamp),
        sa.PrimaryKeyConstraint("erasure_id", "plugin", name=op.f("pk_erasure_steps")),
        sa.ForeignKeyConstraint(
            ["erasure_id"], ["erasures.id"], ondelete="CASCADE", name=op.f("fk_erasure_steps_erasure_id")
        ),
    )
    op.create_index("ix_erasure_steps_plugin", "erasure_steps", ["plugin", "state"])
