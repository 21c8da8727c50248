"""Let a document's own row tell which words it has; what was indexed is indexed anew from its sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from plugins.search.migrations.versions import search_0002

revision = "search_0003"
down_revision = "search_0002"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _drop()
    search_0002.create_documents()
    with op.batch_alter_table("documents") as documents:
        documents.add_column(sa.Column("readers", sa.Text, nullable=False))
        documents.add_column(sa.Column("words", sa.LargeBinary, nullable=False))
        documents.add_column(sa.Column("begun", sa.LargeBinary, nullable=False))
    op.create_table(
        "postings",
        sa.Column("term", sa.LargeBinary, nullable=False),
        sa.Column("impact", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("document", _NUMBER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("term", "impact", "document", name=op.f("pk_postings")),
        sqlite_with_rowid=False,
    )
    search_0002.index_anew()


def downgrade() -> None:
    _drop()
    search_0002.create_documents()
    search_0002.create_postings()
    search_0002.index_anew()


def _drop() -> None:
    for table in ("postings", "contents", "documents"):
        op.drop_table(table)
