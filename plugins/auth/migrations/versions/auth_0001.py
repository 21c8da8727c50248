"""Accounts, codes, sessions and signing keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "auth_0001"
down_revision = None

_SORTED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_accounts()
    _create_administration()
    _create_addresses()
    _create_sessions()
    _create_signing_keys()


def downgrade() -> None:
    for table in ("signing_keys", "sessions", "addresses", "administration", "account_roles", "accounts"):
        op.drop_table(table)


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("email", _SORTED, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("changed_at", Timestamp),
        sa.Column("signed_in_at", Timestamp),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("email", name=op.f("uq_accounts_email")),
    )
    op.create_index("ix_accounts_changed", "accounts", ["changed_at"])
    op.create_table(
        "account_roles",
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "role", name=op.f("pk_account_roles")),
        _of_account("account_roles"),
    )
    op.create_index("ix_account_roles_role", "account_roles", ["role", "account_id"])


def _create_administration() -> None:
    administration = op.create_table(
        "administration",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("changes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_administration")),
    )
    op.bulk_insert(administration, [{"id": 1, "changes": 0}])


def _create_addresses() -> None:
    op.create_table(
        "addresses",
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("challenge_id", sa.Uuid, nullable=False),
        sa.Column("code_mac", sa.LargeBinary, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("expires_at", Timestamp, nullable=False),
        sa.Column("used_at", Timestamp),
        sa.Column("next_at", Timestamp, nullable=False),
        sa.Column("sent_1", Timestamp, nullable=False),
        *(sa.Column(f"sent_{number}", Timestamp) for number in range(2, 6)),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("email", name=op.f("pk_addresses")),
        sa.UniqueConstraint("challenge_id", name=op.f("uq_addresses_challenge_id")),
    )
    op.create_index("ix_addresses_sent_1", "addresses", ["sent_1"])


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("nonce", sa.LargeBinary, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("parent", sa.Integer, nullable=False),
        sa.Column("rotated_at", Timestamp, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("used_at", Timestamp, nullable=False),
        sa.Column("expires_at", Timestamp, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("revoked_at", Timestamp),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        _of_account("sessions"),
    )
    op.create_index("ix_sessions_account", "sessions", ["account_id", "id"])
    op.create_index("ix_sessions_revoked", "sessions", ["revoked_at"])
    op.create_index("ix_sessions_expires", "sessions", ["expires_at"])


def _create_signing_keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("signs_from", Timestamp, nullable=False),
        sa.Column("retires_at", Timestamp),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_signing_keys")),
        sa.UniqueConstraint("kid", name=op.f("uq_signing_keys_kid")),
    )


def _of_account(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_account_id")
    return sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=name, ondelete="CASCADE")
