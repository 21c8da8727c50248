"""Let everybody see which of their own messages wait."""

from __future__ import annotations

from alembic import op

revision = "chat_0002"
down_revision = "chat_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_held_own", "held", ["sender", "room_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_held_own", "held")
