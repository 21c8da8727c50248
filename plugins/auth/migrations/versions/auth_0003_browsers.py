"""Sessions of browsers, which are found by the digest of their cookie."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "auth_0003"
down_revision = "auth_0002"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("cookie_digest", sa.LargeBinary))
    op.add_column("sessions", sa.Column("idle_until", Timestamp))
    op.create_index("ix_sessions_cookie", "sessions", ["cookie_digest"], unique=True)


def downgrade() -> None:
    # without its cookie a browser's session is nobody's
    op.execute("DELETE FROM sessions WHERE cookie_digest IS NOT NULL")
    op.drop_index("ix_sessions_cookie", "sessions")
    op.drop_column("sessions", "idle_until")
    op.drop_column("sessions", "cookie_digest")
