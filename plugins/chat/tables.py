"""The tables of chat."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Json, Timestamp, new_metadata

metadata: Final = new_metadata()

_WAITING: Final = sa.text("state = 'waiting'")
_OPEN: Final = sa.text("state = 'open'")

#: `last_offset` is that of the room's last entry: whoever adds entries raises it in the same statement, and holds its
#: row until the commit, so that entries become visible in their order and without a hole.
rooms: Final = sa.Table(
    "rooms",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("kind", sa.Text, nullable=False),
    Column("subject", sa.Uuid, nullable=False),
    Column("course_id", sa.Uuid, nullable=False),
    Column("title", sa.Text, nullable=False, info={"personal": False}),
    Column("state", sa.Text, nullable=False),  #: `open` or `closed`
    Column("epoch", sa.Uuid, nullable=False),
    Column("last_offset", sa.BigInteger, nullable=False),
    Column("slow_mode", sa.Integer, nullable=False),  #: seconds between two messages of one person
    Column("approval", sa.Boolean, nullable=False),  #: messages wait for whoever moderates
    Column("opened_at", Timestamp, nullable=False),
    sa.UniqueConstraint("kind", "subject"),
    sa.Index("ix_rooms_course", "course_id", "id"),
)

#: The log. An entry is added and stays; only of a message the text is changed, and goes when the message is removed:
#: it stands nowhere else.
entries: Final = sa.Table(
    "entries",
    metadata,
    Column("room_id", sa.Uuid, primary_key=True),  # no foreign key: what adds an entry has the room's row already
    Column("offset", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("kind", sa.Text, nullable=False),  #: `message`, `edited`, `removed`, `reacted` or `room`
    Column("actor", sa.Uuid, nullable=False),
    Column("at", Timestamp, nullable=False),
    Column("client_id", sa.Text),  #: of a message
    Column("text", sa.Text),  #: of a message, None once it was removed
    Column("audience", sa.Text, nullable=False),  #: `room` or `staff`
    Column("recipient", sa.Uuid),  #: who sees it beside staff and actor, where it is for staff
    Column("reply_to", sa.BigInteger),
    Column("target", sa.BigInteger),  #: the message that was edited, removed or reacted to
    Column("detail", Json),  #: of a reaction its emoji, of a room its rules
    Column("edited_at", Timestamp),
    Column("removed_at", Timestamp),
    Column("removed_by", sa.Uuid),
    sa.UniqueConstraint("actor", "room_id", "client_id", name="uq_entries_client"),
)

#: What a room knows of a person who was in it.
members: Final = sa.Table(
    "members",
    metadata,
    Column("room_id", sa.Uuid, sa.ForeignKey("rooms.id"), primary_key=True),
    Column("user_id", sa.Uuid, primary_key=True),
    Column("read_to", sa.BigInteger, nullable=False),
    Column("wrote_at", Timestamp),  #: the last message in slow mode
    Column("muted_until", Timestamp),
    Column("banned", sa.Boolean, nullable=False),
    sa.Index("ix_members_person", "user_id"),
)

reactions: Final = sa.Table(
    "reactions",
    metadata,
    Column("room_id", sa.Uuid, primary_key=True),
    Column("offset", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("emoji", sa.Text, primary_key=True),
    Column("user_id", sa.Uuid, primary_key=True),
    sa.ForeignKeyConstraint(["room_id", "offset"], ["entries.room_id", "entries.offset"], name="fk_reactions_entry"),
    sa.Index("ix_reactions_person", "user_id"),
)

#: Messages that wait for approval, and what was decided.
held: Final = sa.Table(
    "held",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("room_id", sa.Uuid, sa.ForeignKey("rooms.id"), nullable=False),
    Column("sender", sa.Uuid, nullable=False),
    Column("client_id", sa.Text, nullable=False),
    Column("text", sa.Text, nullable=False),  #: empty once it was decided
    Column("audience", sa.Text, nullable=False),
    Column("reply_to", sa.BigInteger),
    Column("mentions", Json, nullable=False),
    Column("at", Timestamp, nullable=False),
    Column("why", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),  #: `waiting`, `approved` or `refused`
    Column("decided_by", sa.Uuid),
    Column("decided_at", Timestamp),
    Column("offset", sa.BigInteger),  #: of the message that it became
    sa.UniqueConstraint("sender", "room_id", "client_id", name="uq_held_client"),
    sa.Index("ix_held_own", "sender", "room_id", "id"),
    sa.Index("ix_held_waiting", "room_id", "id", postgresql_where=_WAITING, sqlite_where=_WAITING),
)

reports: Final = sa.Table(
    "reports",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("room_id", sa.Uuid, nullable=False),
    Column("offset", sa.BigInteger, nullable=False),
    Column("reporter", sa.Uuid, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("at", Timestamp, nullable=False),
    Column("state", sa.Text, nullable=False),  #: `open` or `settled`
    Column("settled_by", sa.Uuid),
    Column("settled_at", Timestamp),
    sa.ForeignKeyConstraint(["room_id", "offset"], ["entries.room_id", "entries.offset"], name="fk_reports_entry"),
    sa.UniqueConstraint("reporter", "room_id", "offset", name="uq_reports_once"),
    sa.Index("ix_reports_open", "room_id", "id", postgresql_where=_OPEN, sqlite_where=_OPEN),
)

#: People's names as `users` tells them.
people: Final = sa.Table(
    "people",
    metadata,
    Column("user_id", sa.Uuid, primary_key=True),
    Column("display_name", sa.Text, nullable=False),
)
