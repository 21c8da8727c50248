"""Links and flows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "oidc_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_links_issuer_subject")),
    )
    op.create_index("ix_links_user_id_id", "links", ["user_id", "id"])
    op.create_table(
        "flows",
        sa.Column("state_digest", sa.LargeBinary, nullable=False),
        sa.Column("browser_digest", sa.LargeBinary, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid),
        sa.Column("expires_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("state_digest", name=op.f("pk_flows")),
    )
    op.create_index(op.f("ix_flows_expires_at"), "flows", ["expires_at"])


def downgrade() -> None:
    op.drop_table("flows")
    op.drop_table("links")
