"""Notices, contacts, and what people do not want by mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Json, Timestamp

revision = "notifications_0001"
down_revision = None
branch_labels = None
depends_on = None

_NEW = sa.text("told_at IS NULL")
_UNREAD = sa.text("read_at IS NULL AND told_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("renamed_at", Timestamp),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_contacts")),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("author", sa.Uuid),
        sa.Column("about", sa.Text),
        sa.Column("at", Timestamp, nullable=False),
        sa.Column("told_at", Timestamp),
        sa.Column("mail", sa.Text),
        sa.Column("read_at", Timestamp),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("event_id", "user_id", name=op.f("uq_notices_event_id_user_id")),
    )
    op.create_index("ix_notices_person", "notices", ["user_id", "id"])
    op.create_index("ix_notices_new", "notices", ["id"], postgresql_where=_NEW, sqlite_where=_NEW)
    op.create_index("ix_notices_unread", "notices", ["user_id"], postgresql_where=_UNREAD, sqlite_where=_UNREAD)
    op.create_index("ix_notices_author", "notices", ["author"])
    op.create_index("ix_notices_about", "notices", ["about"])
    op.create_index("ix_notices_mailed", "notices", ["user_id", "told_at"])
    op.create_table(
        "declined",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "kind", name=op.f("pk_declined")),
    )


def downgrade() -> None:
    for table in ("declined", "notices", "contacts"):
        op.drop_table(table)
