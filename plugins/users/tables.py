"""What people tell about themselves, and the little of their accounts that a directory needs."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Timestamp, new_metadata

metadata: Final = new_metadata()

#: Text that sorts by code point on PostgreSQL as on SQLite, so that an index finds a prefix.
_SORTED: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

#: `name_key` and `email_key` are the name and the address as the directory compares them. `version` counts changes by
#: the person. `active` is the account's state in its `active_version`, told at `active_at`, as the roles are those of
#: `roles_version`, told at `roles_at`: events about one person may come in another order than they happened.
profiles: Final = sa.Table(
    "profiles",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("display_name", sa.Text, nullable=False),
    Column("name_key", _SORTED, nullable=False),
    Column("email_key", _SORTED, nullable=False),  # empty until the registration was heard of
    Column("locale", sa.Text, nullable=False),
    Column("time_zone", sa.Text, nullable=False),
    Column("headline", sa.Text, nullable=False),
    Column("biography", sa.Text, nullable=False),
    Column("website", sa.Text, nullable=False),
    Column("version", sa.Integer, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("active", sa.Boolean, nullable=False),
    Column("active_at", Timestamp),
    Column("roles_at", Timestamp),
    Column("active_version", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    Column("roles_version", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Index("ix_profiles_name", "name_key", "id"),
    sa.Index("ix_profiles_email", "email_key"),
)

profile_roles: Final = sa.Table(
    "profile_roles",
    metadata,
    Column("profile_id", sa.Uuid, sa.ForeignKey(profiles.c.id, ondelete="CASCADE"), primary_key=True),
    Column("role", sa.Text, primary_key=True),
    sa.Index("ix_profile_roles_role", "role", "profile_id"),
)
