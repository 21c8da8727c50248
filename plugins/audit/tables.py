"""The acts, which nobody changes, and the end of their chain."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Timestamp, new_metadata

metadata: Final = new_metadata()

#: One row for each act, numbered without a hole. `before` and `after` are JSON as text, which no database rewrites, so
#: that `link` can be computed anew from what is stored. `subject` and the like are indexed together with the order of
#: the list, which is by time, and by number where the time is the same.
acts: Final = sa.Table(
    "acts",
    metadata,
    Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", sa.Uuid, nullable=False, unique=True),
    Column("happened_at", Timestamp, nullable=False),
    Column("action", sa.Text, nullable=False),
    Column("subject", sa.Text, nullable=False),
    Column("actor", sa.Uuid),
    Column("acting_as", sa.Uuid),
    Column("origin", sa.Text, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("before", sa.Text),
    Column("after", sa.Text),
    Column("source", sa.Text, nullable=False),  # the plugin that told it
    Column("correlation_id", sa.Uuid, nullable=False),
    Column("link", sa.LargeBinary, nullable=False),
    Column("about", sa.Uuid),  # the person whom it concerns, where `subject` does not say it
    sa.Index("ix_acts_time", "happened_at", "number"),
    sa.Index("ix_acts_action", "action", "happened_at", "number"),
    sa.Index("ix_acts_subject", "subject", "happened_at", "number"),
    sa.Index("ix_acts_actor", "actor", "happened_at", "number"),
    sa.Index("ix_acts_acting_as", "acting_as", "happened_at", "number"),
    sa.Index("ix_acts_about", "about", "happened_at", "number"),
)

#: One row: the newest number and its link. Who adds an act updates it first, so that acts come one after another.
chain: Final = sa.Table(
    "chain",
    metadata,
    Column("id", sa.Integer, primary_key=True, autoincrement=False),
    Column("number", sa.BigInteger, nullable=False),
    Column("link", sa.LargeBinary, nullable=False),
)
