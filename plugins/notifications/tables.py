"""Notices, whom they are for, and what people want to be told of."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Json, Timestamp, new_metadata

metadata: Final = new_metadata()

_NEW: Final = sa.text("told_at IS NULL")
_UNREAD: Final = sa.text("read_at IS NULL AND told_at IS NOT NULL")

#: Where people can be reached, and in which language, as events tell it. What is not told yet is empty.
contacts: Final = sa.Table(
    "contacts",
    metadata,
    Column("user_id", sa.Uuid, primary_key=True),
    Column("email", sa.Text, nullable=False),
    Column("display_name", sa.Text, nullable=False),
    Column("locale", sa.Text, nullable=False),
    Column("renamed_at", Timestamp),  #: when the profile changed that name and locale are of
)

#: One row for each event and person. A notice is new until it is told: then the names are known that it mentions, and
#: its mail was asked for, or it was decided that there is none.
notices: Final = sa.Table(
    "notices",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("event_id", sa.Uuid, nullable=False),
    Column("user_id", sa.Uuid, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("facts", Json, nullable=False),
    Column("author", sa.Uuid),  #: whose words stand in it
    Column("about", sa.Text),  #: what it is about, if that may go: see `kinds.message`
    Column("at", Timestamp, nullable=False),
    Column("told_at", Timestamp),
    Column("mail", sa.Text),  #: what became of the mail: see `telling.Decision`
    Column("read_at", Timestamp),
    sa.UniqueConstraint("event_id", "user_id"),
    sa.Index("ix_notices_person", "user_id", "id"),
    sa.Index("ix_notices_new", "id", postgresql_where=_NEW, sqlite_where=_NEW),
    sa.Index("ix_notices_unread", "user_id", postgresql_where=_UNREAD, sqlite_where=_UNREAD),
    sa.Index("ix_notices_author", "author"),
    sa.Index("ix_notices_about", "about"),
    sa.Index("ix_notices_mailed", "user_id", "told_at"),
)

#: What people do not want by mail; only what is not as usual stands here.
declined: Final = sa.Table(
    "declined",
    metadata,
    Column("user_id", sa.Uuid, primary_key=True),
    Column("kind", sa.Text, primary_key=True),
)
