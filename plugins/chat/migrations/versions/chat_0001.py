"""Rooms, their logs, and what is known of who was in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Json, Timestamp

revision = "chat_0001"
down_revision = None
branch_labels = None
depends_on = None

_WAITING = sa.text("state = 'waiting'")
_OPEN = sa.text("state = 'open'")


def _id(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid, nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable, autoincrement=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, Timestamp, nullable=nullable)


def _of_room(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name=op.f(f"fk_{table}_room_id"))


def _of_entry(table: str) -> sa.ForeignKeyConstraint:
    columns = ["entries.room_id", "entries.offset"]
    return sa.ForeignKeyConstraint(["room_id", "offset"], columns, name=op.f(f"fk_{table}_entry"))


def upgrade() -> None:
    _log()
    _people()
    _moderation()


def _log() -> None:
    op.create_table(
        "rooms",
        _id("id"),
        _text("kind"),
        _id("subject"),
        _id("course_id"),
        _text("title"),
        _text("state"),
        _id("epoch"),
        _number("last_offset"),
        sa.Column("slow_mode", sa.Integer, nullable=False),
        sa.Column("approval", sa.Boolean, nullable=False),
        _time("opened_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rooms")),
        sa.UniqueConstraint("kind", "subject", name=op.f("uq_rooms_kind_subject")),
    )
    op.create_index("ix_rooms_course", "rooms", ["course_id", "id"])
    op.create_table(
        "entries",
        _id("room_id"),
        _number("offset"),
        _text("kind"),
        _id("actor"),
        _time("at"),
        _text("client_id", nullable=True),
        _text("text", nullable=True),
        _text("audience"),
        _id("recipient", nullable=True),
        _number("reply_to", nullable=True),
        _number("target", nullable=True),
        sa.Column("detail", Json),
        _time("edited_at", nullable=True),
        _time("removed_at", nullable=True),
        _id("removed_by", nullable=True),
        sa.PrimaryKeyConstraint("room_id", "offset", name=op.f("pk_entries")),
        sa.UniqueConstraint("actor", "room_id", "client_id", name=op.f("uq_entries_client")),
    )


def _people() -> None:
    op.create_table(
        "members",
        _id("room_id"),
        _id("user_id"),
        _number("read_to"),
        _time("wrote_at", nullable=True),
        _time("muted_until", nullable=True),
        sa.Column("banned", sa.Boolean, nullable=False),
        _of_room("members"),
        sa.PrimaryKeyConstraint("room_id", "user_id", name=op.f("pk_members")),
    )
    op.create_index("ix_members_person", "members", ["user_id"])
    op.create_table(
        "reactions",
        _id("room_id"),
        _number("offset"),
        _text("emoji"),
        _id("user_id"),
        _of_entry("reactions"),
        sa.PrimaryKeyConstraint("room_id", "offset", "emoji", "user_id", name=op.f("pk_reactions")),
    )
    op.create_index("ix_reactions_person", "reactions", ["user_id"])
    op.create_table(
        "people",
        _id("user_id"),
        _text("display_name"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_people")),
    )


def _moderation() -> None:
    op.create_table(
        "held",
        _id("id"),
        _id("room_id"),
        _id("sender"),
        _text("client_id"),
        _text("text"),
        _text("audience"),
        _number("reply_to", nullable=True),
        sa.Column("mentions", Json, nullable=False),
        _time("at"),
        _text("why"),
        _text("state"),
        _id("decided_by", nullable=True),
        _time("decided_at", nullable=True),
        _number("offset", nullable=True),
        _of_room("held"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held")),
        sa.UniqueConstraint("sender", "room_id", "client_id", name=op.f("uq_held_client")),
    )
    op.create_index("ix_held_waiting", "held", ["room_id", "id"], postgresql_where=_WAITING, sqlite_where=_WAITING)
    op.create_table(
        "reports",
        _id("id"),
        _id("room_id"),
        _number("offset"),
        _id("reporter"),
        _text("reason"),
        _time("at"),
        _text("state"),
        _id("settled_by", nullable=True),
        _time("settled_at", nullable=True),
        _of_entry("reports"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sa.UniqueConstraint("reporter", "room_id", "offset", name=op.f("uq_reports_once")),
    )
    op.create_index("ix_reports_open", "reports", ["room_id", "id"], postgresql_where=_OPEN, sqlite_where=_OPEN)


def downgrade() -> None:
    for table in ("reports", "held", "people", "reactions", "members", "entries", "rooms"):
        op.drop_table(table)
