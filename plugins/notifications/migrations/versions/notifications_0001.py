"""Notices, how they reach people, and what people want."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Json, Timestamp

revision = "notifications_0001"
down_revision = None
branch_labels = None
depends_on = None

_NEW = sa.text("told_at IS NULL")
_UNREAD = sa.text("read_at IS NULL AND outcome = 'told'")
_OPEN = sa.text("closed_at IS NULL AND slot <> ''")
_WAITING = sa.text("ended_at IS NULL")


def upgrade() -> None:
    _contacts()
    _notices()
    _parcels()
    _deliveries()
    _wishes()
    _topics()


def _contacts() -> None:
    op.create_table(
        "contacts",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("renamed_at", Timestamp),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_contacts")),
    )


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("author", sa.Uuid),
        sa.Column("about", sa.Text),
        sa.Column("at", Timestamp, nullable=False),
        sa.Column("told_at", Timestamp),
        sa.Column("outcome", sa.Text),
        sa.Column("read_at", Timestamp),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("event_id", "user_id", name=op.f("uq_notices_event_id_user_id")),
    )
    op.create_index("ix_notices_person", "notices", ["user_id", "id"])
    op.create_index("ix_notices_new", "notices", ["id"], postgresql_where=_NEW, sqlite_where=_NEW)
    op.create_index("ix_notices_unread", "notices", ["user_id"], postgresql_where=_UNREAD, sqlite_where=_UNREAD)
    op.create_index("ix_notices_author", "notices", ["author"])
    op.create_index("ix_notices_about", "notices", ["about"])


def _parcels() -> None:
    op.create_table(
        "parcels",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("slot", sa.Text, nullable=False),
        sa.Column("due_at", Timestamp, nullable=False),
        sa.Column("next_at", Timestamp, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("closed_at", Timestamp),
        sa.Column("ended_at", Timestamp),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("failure", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parcels")),
    )
    op.create_index(
        *("uq_parcels_open", "parcels", ["user_id", "channel", "slot"]),
        unique=True,
        postgresql_where=_OPEN,
        sqlite_where=_OPEN,
    )
    op.create_index("ix_parcels_waiting", "parcels", ["next_at"], postgresql_where=_WAITING, sqlite_where=_WAITING)
    op.create_index("ix_parcels_person", "parcels", ["user_id", "due_at"])
    op.create_index("ix_parcels_ended", "parcels", ["ended_at", "channel"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("notice_id", sa.Uuid, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("because", sa.Text, nullable=False),
        sa.Column("parcel_id", sa.Uuid),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notices.id"], name=op.f("fk_deliveries_notice_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("notice_id", "channel", name=op.f("pk_deliveries")),
    )
    op.create_index("ix_deliveries_parcel", "deliveries", ["parcel_id"])


def _wishes() -> None:
    op.create_table(
        "choices",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("frequency", sa.Text, nullable=False),
        sa.Column("unsubscribed_at", Timestamp),
        sa.PrimaryKeyConstraint("user_id", "kind", "channel", name=op.f("pk_choices")),
    )
    op.create_table(
        "schedules",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("time_zone", sa.Text),
        *(sa.Column(name, sa.Integer) for name in ("hour", "weekday", "quiet_from", "quiet_until")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_schedules")),
    )


def _topics() -> None:
    op.create_table(
        "followings",
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("since", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("topic", "user_id", name=op.f("pk_followings")),
    )
    op.create_index("ix_followings_person", "followings", ["user_id", "topic"])
    op.create_table(
        "circulars",
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("author", sa.Uuid),
        sa.Column("at", Timestamp, nullable=False),
        sa.Column("after", sa.Uuid, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("event_id", "topic", name=op.f("pk_circulars")),
    )


def downgrade() -> None:
    for table in ("circulars", "followings", "schedules", "choices", "deliveries", "parcels", "notices", "contacts"):
        op.drop_table(table)
