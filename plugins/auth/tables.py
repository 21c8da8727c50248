"""Accounts, codes, sessions, devices and signing keys."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Timestamp, new_metadata

metadata: Final = new_metadata()

#: Text that sorts by code point on PostgreSQL as on SQLite, so that an index finds a prefix.
_SORTED: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

accounts: Final = sa.Table(
    "accounts",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("email", _SORTED, nullable=False, unique=True),
    Column("active", sa.Boolean, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("changed_at", Timestamp),  # when roles or state last did
    Column("signed_in_at", Timestamp),
    Column("version", sa.BigInteger, nullable=False, server_default=sa.text("0")),  # counts changes of roles and state
    sa.Index("ix_accounts_changed", "changed_at"),
)

account_roles: Final = sa.Table(
    "account_roles",
    metadata,
    Column("account_id", sa.Uuid, sa.ForeignKey(accounts.c.id, ondelete="CASCADE"), primary_key=True),
    Column("role", sa.Text, primary_key=True),
    sa.Index("ix_account_roles_role", "role", "account_id"),
)

#: One row. Whoever changes who administers updates it first, so that such changes come one after another.
administration: Final = sa.Table(
    "administration",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("changes", sa.BigInteger, nullable=False),
)

#: One row for each mail address that was asked a code for lately, registered or not: the newest code, which is the
#: only one that is good, and the limits. `challenge_id` is 128 random bits that only the browser which asked knows.
#: `sent_1` … `sent_5` are the moments of the last five mails, the newest first: a moving window that one conditional
#: update reads and moves.
addresses: Final = sa.Table(
    "addresses",
    metadata,
    Column("email", sa.Text, primary_key=True),
    Column("challenge_id", sa.Uuid, nullable=False, unique=True),
    Column("code_mac", sa.LargeBinary, nullable=False),
    Column("attempts", sa.Integer, nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    Column("used_at", Timestamp),
    Column("next_at", Timestamp, nullable=False),  # no new code before
    Column("sent_1", Timestamp, nullable=False),
    *(Column(f"sent_{number}", Timestamp) for number in range(2, 6)),
    Column("failures", sa.Integer, nullable=False),  # wrong codes since `failing_since`, a day at most
    Column("failing_since", Timestamp, nullable=False),
    sa.Index("ix_addresses_sent_1", "sent_1"),
)

#: One row for each sign-in, which is also the family of its refresh tokens. No token is stored: each is made from its
#: number, from `nonce` and from a key that is outside the database. The newest is number `generation`, made at
#: `rotated_at` for the holder of number `parent`.
sessions: Final = sa.Table(
    "sessions",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("account_id", sa.Uuid, sa.ForeignKey(accounts.c.id, ondelete="CASCADE"), nullable=False),
    Column("nonce", sa.LargeBinary, nullable=False),
    Column("generation", sa.Integer, nullable=False),
    Column("parent", sa.Integer, nullable=False),
    Column("rotated_at", Timestamp, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("used_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    Column("address", sa.Text, nullable=False),
    Column("client", sa.Text, nullable=False),
    Column("revoked_at", Timestamp),
    Column("cookie_digest", sa.LargeBinary),  # of a browser's session; null for one of tokens
    Column("signed_in_by", sa.Text, nullable=False, server_default="code"),  # or who vouched for the person
    Column("idle_until", Timestamp),  # when a browser's session ends unless it is used before
    sa.Index("ix_sessions_cookie", "cookie_digest", unique=True),
    sa.Index("ix_sessions_account", "account_id", "id"),
    sa.Index("ix_sessions_revoked", "revoked_at"),
    sa.Index("ix_sessions_expires", "expires_at"),
)

#: From what an account was signed in to; `digest` is made of the account and of what a device is known by.
devices: Final = sa.Table(
    "devices",
    metadata,
    Column("account_id", sa.Uuid, sa.ForeignKey(accounts.c.id, ondelete="CASCADE"), primary_key=True),
    Column("digest", sa.LargeBinary, primary_key=True),
    Column("seen_at", Timestamp, nullable=False),  # at the last sign-in from it
    sa.Index("ix_devices_seen", "seen_at"),
)

#: The key with the highest number whose `signs_from` has come signs; all verify until `retires_at`.
signing_keys: Final = sa.Table(
    "signing_keys",
    metadata,
    Column("number", sa.Integer, primary_key=True, autoincrement=False),
    Column("kid", sa.Text, nullable=False, unique=True),
    Column("sealed", sa.Text, nullable=False),  # the private key
    Column("signs_from", Timestamp, nullable=False),
    Column("retires_at", Timestamp),
)
