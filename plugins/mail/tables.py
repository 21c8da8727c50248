"""One row for each mail that was asked for."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Timestamp, new_metadata

metadata: Final = new_metadata()

WAITING: Final = "waiting"  # to be sent
SENT: Final = "sent"
FAILED: Final = "failed"  # never to be sent; `last_error` says why
KEPT: Final = "kept"  # in the mailbox

#: `id` is the id of the event, so an event that comes twice is one mail. `next_at` is when the mail is due, and
#: while a process sends it, when its claim ends. `sealed` is erased as soon as the mail has left.
mails: Final = sa.Table(
    "mails",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("recipient", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("sealed", sa.Text),
    Column("attempts", sa.Integer, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("next_at", Timestamp, nullable=False),
    Column("finished_at", Timestamp),
    Column("last_error", sa.Text),
    sa.Index(
        "ix_mails_waiting",
        "next_at",
        "id",
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    ),
    sa.Index("ix_mails_kept", "id", postgresql_where=sa.text("state = 'kept'"), sqlite_where=sa.text("state = 'kept'")),
    sa.Index("ix_mails_finished", "finished_at"),
    sa.Index("ix_mails_recipient", "recipient", "id"),
)
