"""Make everything that a document is found by a term; what was indexed is indexed anew from its sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from plugins.search.migrations.versions import search_0001

revision = "search_0002"
down_revision = "search_0001"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TERM = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    for table in ("people", "readers", "postings", "slips", "documents"):
        op.drop_table(table)
    create_documents()
    create_postings()
    _create_slips()
    op.drop_index("ix_changed_due", "changed")
    op.create_index("ix_changed_due", "changed", ["kind", "due"])
    index_anew()


def downgrade() -> None:
    for table in ("slips", "postings", "contents", "documents"):
        op.drop_table(table)
    search_0001.create_documents()
    search_0001.create_postings()
    search_0001.create_people()
    op.drop_index("ix_changed_due", "changed")
    op.create_index("ix_changed_due", "changed", ["due"])
    index_anew()


def index_anew() -> None:
    op.execute("DELETE FROM sources")


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
        sa.PrimaryKeyConstraint("number", name=op.f("pk_documents")),
        sa.UniqueConstraint("kind", "id", name=op.f("uq_documents_kind_id")),
    )
    op.create_index("ix_documents_subject", "documents", ["subject_kind", "subject_id"])
    op.create_index("ix_documents_rating", "documents", ["public", "rating", "number"])
    op.create_index("ix_documents_newest", "documents", ["public", "published", "number"])
    op.create_index("ix_documents_price", "documents", ["public", "price", "number"])
    op.create_table(
        "contents",
        sa.Column("document", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("shown", sa.LargeBinary, nullable=False),
        sa.Column("terms", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("document", name=op.f("pk_contents")),
        sa.ForeignKeyConstraint(
            ["document"], ["documents.number"], name=op.f("fk_contents_document"), ondelete="CASCADE"
        ),
    )


def create_postings() -> None:
    op.create_table(
        "postings",
        sa.Column("term", _TERM, nullable=False),
        sa.Column("document", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("impact", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("term", "document", name=op.f("pk_postings"), postgresql_include=["impact"]),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_postings_rank", "postings", ["term", "impact", "document"])


def _create_slips() -> None:
    op.create_table(
        "slips",
        sa.Column("deletion", _TERM, nullable=False),
        sa.Column("term", _TERM, nullable=False),
        sa.PrimaryKeyConstraint("deletion", "term", name=op.f("pk_slips")),
        sqlite_with_rowid=False,
    )
