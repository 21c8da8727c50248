"""Copies of what is kept of people, and erasures with what each plugin answered."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Json, Timestamp, new_metadata

metadata: Final = new_metadata()

WAITING: Final = "waiting"
READY: Final = "ready"
FAILED: Final = "failed"

_UNDONE: Final = sa.text("state = 'waiting'")

#: `next_at` is when the export is due, and while a process makes it, when its claim ends. `attempts` numbers the
#: claims: only the newest may write.
exports: Final = sa.Table(
    "exports",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("user_id", sa.Uuid, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("attempts", sa.Integer, nullable=False),
    Column("next_at", Timestamp, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("ready_at", Timestamp),
    Column("expires_at", Timestamp, nullable=False),
    Column("size", sa.BigInteger),  # bytes of the archive
    Column("reason", sa.Text, nullable=False),  # which plugin failed last, and how
    sa.Index("ix_exports_person", "user_id", "id"),
    sa.Index("uq_exports_waiting", "user_id", unique=True, postgresql_where=_UNDONE, sqlite_where=_UNDONE),
    sa.Index("ix_exports_due", "next_at", "id", postgresql_where=_UNDONE, sqlite_where=_UNDONE),
    sa.Index("ix_exports_expires", "expires_at"),
)

#: The archive in pieces, each sealed; those of an attempt that failed are deleted by the next one.
export_chunks: Final = sa.Table(
    "export_chunks",
    metadata,
    Column("export_id", sa.Uuid, sa.ForeignKey("exports.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", sa.Integer, primary_key=True),
    Column("number", sa.Integer, primary_key=True),
    Column("sealed", sa.Text, nullable=False),
)

#: One for each person. `sealed_email` is gone when the erasure is done; `next_at` is null where nothing is to be done
#: until something changes. `receipt_id` is the mail that tells the person what came of it.
erasures: Final = sa.Table(
    "erasures",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("user_id", sa.Uuid, nullable=False, unique=True),
    Column("state", sa.Text, nullable=False),
    Column("sealed_email", sa.Text),
    Column("created_at", Timestamp, nullable=False),
    Column("next_at", Timestamp),
    Column("again_at", Timestamp),  # not before does every plugin confirm
    Column("receipt_id", sa.Uuid),
    Column("mails", sa.Integer, nullable=False, server_default=sa.text("0")),  # how often the receipt was asked for
    Column("unsent_at", Timestamp),  # when it was given up
    Column("done_at", Timestamp),
    sa.Index("ix_erasures_due", "next_at"),
    sa.Index("ix_erasures_state", "state", "created_at"),
)

#: What one plugin answered. `last_error` is the kind of the failure, which quotes nothing.
erasure_steps: Final = sa.Table(
    "erasure_steps",
    metadata,
    Column("erasure_id", sa.Uuid, sa.ForeignKey("erasures.id", ondelete="CASCADE"), primary_key=True),
    Column("plugin", sa.Text, primary_key=True),
    Column("state", sa.Text, nullable=False),
    Column("attempts", sa.Integer, nullable=False),
    Column("next_at", Timestamp, nullable=False),
    Column("last_error", sa.Text),
    Column("receipt", Json),
    Column("answered_at", Timestamp),
    sa.Index("ix_erasure_steps_plugin", "plugin", "state"),
)

#: Every plugin that was ever on beside this one: those that are off now are asked when they are on again.
contributors: Final = sa.Table(
    "contributors",
    metadata,
    Column("plugin", sa.Text, primary_key=True),
)
