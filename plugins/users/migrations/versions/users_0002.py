"""The versions of the accounts of which roles and state are known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "users_0002"
down_revision = "users_0001"


def upgrade() -> None:
    for name in ("active_version", "roles_version"):
        op.add_column("profiles", sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    for name in ("roles_version", "active_version"):
        op.drop_column("profiles", name)
