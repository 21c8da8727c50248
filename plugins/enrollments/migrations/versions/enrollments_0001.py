"""Grants, purchases and what is remembered of courses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Json, Timestamp

revision = "enrollments_0001"
down_revision = None
branch_labels = None
depends_on = None

_PURCHASED = sa.text("purchase_id IS NOT NULL")
_ENDING = sa.text("ends_at IS NOT NULL AND ended_at IS NULL")
_ACTIVE = sa.text("state IN ('pending', 'completed')")
_PENDING = sa.text("state = 'pending'")


def _uuids(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Uuid, nullable=False) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "grants",
        *_uuids("id", "user_id", "course_id"),
        *_texts("source", "state", "reason"),
        sa.Column("purchase_id", sa.Uuid),
        sa.Column("granted_by", sa.Uuid),
        sa.Column("starts_at", Timestamp, nullable=False),
        sa.Column("ends_at", Timestamp),
        sa.Column("ended_at", Timestamp),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index("ix_grants_person", "grants", ["user_id", "course_id"])
    op.create_index("ix_grants_course", "grants", ["course_id", "id"])
    op.create_index(
        "uq_grants_purchase",
        "grants",
        ["purchase_id"],
        unique=True,
        postgresql_where=_PURCHASED,
        sqlite_where=_PURCHASED,
    )
    op.create_index("ix_grants_ending", "grants", ["ends_at"], postgresql_where=_ENDING, sqlite_where=_ENDING)
    op.create_table(
        "purchases",
        *_uuids("id", "user_id", "course_id", "grant_id"),
        *_texts("key"),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        *_texts("currency", "state", "reason"),
        sa.Column("refusal", Json),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("checked_at", Timestamp),
        sa.Column("settled_at", Timestamp),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchases")),
        sa.UniqueConstraint("user_id", "key", name=op.f("uq_purchases_key")),
    )
    op.create_index(
        "uq_purchases_active",
        "purchases",
        ["user_id", "course_id"],
        unique=True,
        postgresql_where=_ACTIVE,
        sqlite_where=_ACTIVE,
    )
    op.create_index(
        "ix_purchases_pending", "purchases", ["created_at"], postgresql_where=_PENDING, sqlite_where=_PENDING
    )
    op.create_table(
        "courses",
        *_uuids("id"),
        *_texts("title", "status"),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courses")),
    )


def downgrade() -> None:
    for table in ("courses", "purchases", "grants"):
        op.drop_table(table)
