"""The kernel's own tables, which stand beside each plugin's tables in the plugin's own database.

`outbox` holds what the plugin tells; `inbox` what it was told; `inbox_cursor` how far it has read each source's
outbox; `idempotency` the first answers to requests that must not happen twice.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column, bindparam

from kernel.database.statements import Follow
from kernel.database.types import Json, Timestamp, new_metadata

metadata: Final = new_metadata()

_BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers only INTEGER keys by itself

#: `position` is null until the relay has published the row; it is given out under the relay's lock, so positions
#: become visible in their order. `seq` does not: a transaction that commits late makes a smaller one visible late.
outbox: Final = sa.Table(
    "outbox",
    metadata,
    Column("seq", _BIG, sa.Identity(), primary_key=True),
    Column("id", sa.Uuid, nullable=False, unique=True),
    Column("type", sa.Text, nullable=False),
    Column("key", sa.Text, nullable=False),
    Column("data", sa.LargeBinary, nullable=False),
    Column("correlation_id", sa.Uuid, nullable=False),
    Column("causation_id", sa.Uuid),
    Column("created_at", Timestamp, nullable=False),
    Column("position", sa.BigInteger, unique=True),
    Column("published_at", Timestamp),
    sa.Index(
        "ix_outbox_waiting",
        "seq",
        postgresql_where=sa.text("position IS NULL"),
        sqlite_where=sa.text("position IS NULL"),
    ),
)

#: One row for each handler that wants the event. States: `waiting`, `done`, `dead`.
inbox: Final = sa.Table(
    "inbox",
    metadata,
    Column("seq", _BIG, sa.Identity(), primary_key=True),
    Column("handler", sa.Text, nullable=False),
    Column("event_id", sa.Uuid, nullable=False),
    Column("source", sa.Text, nullable=False),
    Column("type", sa.Text, nullable=False),
    Column("key", sa.Text, nullable=False),
    Column("data", sa.LargeBinary, nullable=False),
    Column("correlation_id", sa.Uuid, nullable=False),
    Column("causation_id", sa.Uuid),
    Column("created_at", Timestamp, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("attempts", sa.Integer, nullable=False),
    Column("next_at", Timestamp, nullable=False),
    Column("handled_at", Timestamp),
    Column("last_error", sa.Text),
    sa.UniqueConstraint("handler", "event_id"),
    sa.Index(
        "ix_inbox_waiting",
        "handler",
        "source",
        "key",
        "seq",
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    ),
    sa.Index(
        "ix_inbox_due",
        "handler",
        "next_at",
        "seq",
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    ),
    sa.Index(
        "ix_inbox_dead", "seq", postgresql_where=sa.text("state = 'dead'"), sqlite_where=sa.text("state = 'dead'")
    ),
    sa.Index("ix_inbox_handled", "handled_at"),
)

inbox_cursor: Final = sa.Table(
    "inbox_cursor",
    metadata,
    Column("handler", sa.Text, primary_key=True),
    Column("source", sa.Text, primary_key=True),
    Column("position", sa.BigInteger, nullable=False),
)

#: The first answer to a request with an Idempotency-Key, kept for 24 hours.
idempotency: Final = sa.Table(
    "idempotency",
    metadata,
    Column("subject", sa.Uuid, primary_key=True),
    Column("route", sa.Text, primary_key=True),
    Column("key", sa.Text, primary_key=True),
    Column("request_hash", sa.LargeBinary, nullable=False),
    Column("status", sa.Integer),
    Column("headers", Json),
    Column("body", sa.LargeBinary),
    Column("created_at", Timestamp, nullable=False),
    sa.Index("ix_idempotency_created", "created_at"),
)

OUTBOX_COLUMNS: Final = ("id", "type", "key", "data", "correlation_id", "causation_id", "created_at")


def outbox_follow(prefix: str = "event_") -> Follow:
    """Return the `Follow` that writes one event; `ctx.events.row(event, prefix)` gives the values it binds."""
    return Follow(outbox, {name: bindparam(f"{prefix}{name}", type_=outbox.c[name].type) for name in OUTBOX_COLUMNS})
