"""How somebody signed in: by a code, or since somebody vouched for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "auth_0004"
down_revision = "auth_0003"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("signed_in_by", sa.Text, nullable=False, server_default="code"))


def downgrade() -> None:
    op.drop_column("sessions", "signed_in_by")
