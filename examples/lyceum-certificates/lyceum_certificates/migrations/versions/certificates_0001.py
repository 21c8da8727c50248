"""The certificates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "certificates_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "certificates",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("course_id", sa.Uuid, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("course", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("enrolled_at", Timestamp, nullable=False),
        sa.Column("issued_at", Timestamp),
        sa.Column("withdrawn_at", Timestamp),
        sa.Column("told_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificates")),
        sa.UniqueConstraint("code", name=op.f("uq_certificates_code")),
        sa.UniqueConstraint("user_id", "course_id", name=op.f("uq_certificates_user_id_course_id")),
    )
    waiting = sa.text("issued_at IS NULL AND withdrawn_at IS NULL")
    op.create_index("ix_certificates_user_id_id", "certificates", ["user_id", "id"])
    op.create_index("ix_certificates_waiting", "certificates", ["id"], postgresql_where=waiting, sqlite_where=waiting)


def downgrade() -> None:
    op.drop_table("certificates")
