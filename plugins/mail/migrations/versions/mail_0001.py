"""Mails."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "mail_0001"
down_revision = None

_WAITING = sa.text("state = 'waiting'")
_KEPT = sa.text("state = 'kept'")


def upgrade() -> None:
    op.create_table(
        "mails",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("sealed", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("next_at", Timestamp, nullable=False),
        sa.Column("finished_at", Timestamp),
        sa.Column("last_error", sa.Text),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
    )
    op.create_index("ix_mails_waiting", "mails", ["next_at", "id"], postgresql_where=_WAITING, sqlite_where=_WAITING)
    op.create_index("ix_mails_kept", "mails", ["id"], postgresql_where=_KEPT, sqlite_where=_KEPT)
    op.create_index("ix_mails_finished", "mails", ["finished_at"])


def downgrade() -> None:
    op.drop_table("mails")
