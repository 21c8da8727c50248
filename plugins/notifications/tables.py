"""What people were told, on which ways it reaches them, and what they want."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Json, Timestamp, new_metadata

metadata: Final = new_metadata()

_NEW: Final = sa.text("told_at IS NULL")
_UNREAD: Final = sa.text("read_at IS NULL AND outcome = 'told'")
_OPEN: Final = sa.text("closed_at IS NULL AND slot <> ''")
_WAITING: Final = sa.text("ended_at IS NULL")

#: Where people can be reached, in which language and when, as events tell it. What is not told yet is empty.
contacts: Final = sa.Table(
    "contacts",
    metadata,
    Column("user_id", sa.Uuid, primary_key=True),
    Column("email", sa.Text, nullable=False),
    Column("display_name", sa.Text, nullable=False),
    Column("locale", sa.Text, nullable=False),
    Column("time_zone", sa.Text, nullable=False),
    Column("renamed_at", Timestamp),  #: when the profile changed that name, locale and zone are of
)

#: One row for each event and person: the record of what was decided about it. It is new until it is told; then the
#: names are known that it mentions, and what becomes of it on each channel.
notices: Final = sa.Table(
    "notices",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("event_id", sa.Uuid, nullable=False),
    Column("user_id", sa.Uuid, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("facts", Json, nullable=False),
    Column("topic", sa.Text, nullable=False),  #: what the person follows; empty where it concerns them alone
    Column("author", sa.Uuid),  #: whose words stand in it
    Column("about", sa.Text),  #: what it is about, if that may go: see `kinds.message`
    Column("at", Timestamp, nullable=False),
    Column("told_at", Timestamp),
    Column("outcome", sa.Text),  #: see `deciding.Outcome`
    Column("read_at", Timestamp),
    sa.UniqueConstraint("event_id", "user_id"),
    sa.Index("ix_notices_person", "user_id", "id"),
    sa.Index("ix_notices_new", "id", postgresql_where=_NEW, sqlite_where=_NEW),
    sa.Index("ix_notices_unread", "user_id", postgresql_where=_UNREAD, sqlite_where=_UNREAD),
    sa.Index("ix_notices_author", "author"),
    sa.Index("ix_notices_about", "about"),
)

#: What goes, or went, to one person by one channel: one notice, or several that come together. Others join those of
#: a slot until it is closed.
parcels: Final = sa.Table(
    "parcels",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("user_id", sa.Uuid, nullable=False),
    Column("channel", sa.Text, nullable=False),
    Column("slot", sa.Text, nullable=False),  #: see `deciding`; empty where nothing joins
    Column("due_at", Timestamp, nullable=False),
    Column("next_at", Timestamp, nullable=False),  #: when it is tried, or tried again
    Column("attempts", sa.Integer, nullable=False),
    Column("closed_at", Timestamp),
    Column("ended_at", Timestamp),
    Column("result", sa.Text, nullable=False),  #: see `sending.Result`; empty while it waits
    Column("failure", sa.Text, nullable=False),
    sa.Index(
        "uq_parcels_open", *("user_id", "channel", "slot"), unique=True, postgresql_where=_OPEN, sqlite_where=_OPEN
    ),
    sa.Index("ix_parcels_waiting", "next_at", postgresql_where=_WAITING, sqlite_where=_WAITING),
    sa.Index("ix_parcels_person", "user_id", "due_at"),
    sa.Index("ix_parcels_ended", "ended_at", "channel"),
)

#: What was decided about a notice for one channel.
deliveries: Final = sa.Table(
    "deliveries",
    metadata,
    Column("notice_id", sa.Uuid, sa.ForeignKey(notices.c.id, ondelete="CASCADE"), primary_key=True),
    Column("channel", sa.Text, primary_key=True),
    Column("decision", sa.Text, nullable=False),  #: see `deciding.Decision`
    Column("because", sa.Text, nullable=False),  #: see `deciding.Because`
    Column("parcel_id", sa.Uuid),
    sa.Index("ix_deliveries_parcel", "parcel_id"),
)

#: What people want otherwise than it is for everybody.
choices: Final = sa.Table(
    "choices",
    metadata,
    Column("user_id", sa.Uuid, primary_key=True),
    Column("kind", sa.Text, primary_key=True),
    Column("channel", sa.Text, primary_key=True),
    Column("frequency", sa.Text, nullable=False),
    Column("unsubscribed_at", Timestamp),  #: when it was by the link of a mail
)

#: When people want to be told, where it is otherwise than for everybody. Hours are those of their zone.
schedules: Final = sa.Table(
    "schedules",
    metadata,
    Column("user_id", sa.Uuid, primary_key=True),
    Column("time_zone", sa.Text),
    Column("hour", sa.Integer),
    Column("weekday", sa.Integer),  #: 0 is Monday
    Column("quiet_from", sa.Integer),  #: minutes after midnight
    Column("quiet_until", sa.Integer),
)

followings: Final = sa.Table(
    "followings",
    metadata,
    Column("topic", sa.Text, primary_key=True),
    Column("user_id", sa.Uuid, primary_key=True),
    Column("since", Timestamp, nullable=False),
    sa.Index("ix_followings_person", "user_id", "topic"),
)

#: What whoever follows a topic is still to be told of, and how far that has come.
circulars: Final = sa.Table(
    "circulars",
    metadata,
    Column("event_id", sa.Uuid, primary_key=True),
    Column("topic", sa.Text, primary_key=True),
    Column("kind", sa.Text, nullable=False),
    Column("facts", Json, nullable=False),
    Column("author", sa.Uuid),
    Column("at", Timestamp, nullable=False),
    Column("after", sa.Uuid, nullable=False),  #: the last person that has it
    Column("step", sa.Integer, nullable=False),  #: how often it was taken further
)
