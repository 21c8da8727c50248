"""Documents, their terms, who may find them, and what is to be indexed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from kernel.database import Timestamp

revision = "search_0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TERM = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_TABLES = ("sources", "changed", "slips", "people", "readers", "postings", "documents")


def upgrade() -> None:
    create_documents()
    create_postings()
    create_people()
    create_changed()


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)


def create_documents() -> None:
    op.create_table(
        "documents",
        sa.Column("number", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject_kind", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        sa.Column("public", sa.Boolean, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("rating", sa.Integer, nullable=False),
        sa.Column("duration_seconds", sa.BigInteger, nullable=False),
        sa.Column("published", sa.BigInteger, nullable=False),
        sa.Column("shown", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_documents")),
        sa.UniqueConstraint("kind", "id", name=op.f("uq_documents_kind_id")),
    )
    op.create_index("ix_documents_subject", "documents", ["subject_kind", "subject_id"])


def create_postings() -> None:
    op.create_table(
        "postings",
        sa.Column("term", _TERM, nullable=False),
        sa.Column("document", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("impact", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("term", "document", name=op.f("pk_postings")),
        _of_document("postings"),
    )
    op.create_index("ix_postings_rank", "postings", ["term", "impact", "document"])
    op.create_index("ix_postings_document", "postings", ["document"])
    op.create_table(
        "slips",
        sa.Column("deletion", _TERM, nullable=False),
        sa.Column("term", _TERM, nullable=False),
        sa.PrimaryKeyConstraint("deletion", "term", name=op.f("pk_slips")),
    )


def create_people() -> None:
    op.create_table(
        "readers",
        sa.Column("document", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("reader", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("document", "reader", name=op.f("pk_readers")),
        _of_document("readers"),
    )
    op.create_table(
        "people",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("document", _NUMBER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "document", name=op.f("pk_people")),
        _of_document("people"),
    )
    op.create_index("ix_people_document", "people", ["document"])


def create_changed() -> None:
    op.create_table(
        "changed",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        sa.Column("mark", sa.Uuid, nullable=False),
        sa.Column("claim", sa.Uuid),
        sa.Column("due", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject_id", name=op.f("pk_changed")),
    )
    op.create_index("ix_changed_due", "changed", ["due"])
    op.create_table(
        "sources",
        sa.Column("kind", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_sources")),
    )


def _of_document(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["document"], ["documents.number"], name=op.f(f"fk_{table}_document"), ondelete="CASCADE"
    )
