"""Profiles and the roles of people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "users_0001"
down_revision = None

_SORTED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "profiles",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("name_key", _SORTED, nullable=False),
        sa.Column("email_key", _SORTED, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("locale", "time_zone", "headline", "biography", "website")
        ),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("active_at", Timestamp),
        sa.Column("roles_at", Timestamp),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
    )
    op.create_index("ix_profiles_name", "profiles", ["name_key", "id"])
    op.create_index("ix_profiles_email", "profiles", ["email_key"])
    op.create_table(
        "profile_roles",
        sa.Column("profile_id", sa.Uuid, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("profile_id", "role", name=op.f("pk_profile_roles")),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profiles.id"], name=op.f("fk_profile_roles_profile_id"), ondelete="CASCADE"
        ),
    )
    op.create_index("ix_profile_roles_role", "profile_roles", ["role", "profile_id"])


def downgrade() -> None:
    op.drop_table("profile_roles")
    op.drop_table("profiles")
