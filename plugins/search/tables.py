"""The read model: documents, the terms they are found by, and what is still to be indexed."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column
from sqlalchemy.dialects import postgresql

from kernel.database import Timestamp, new_metadata

metadata: Final = new_metadata()

#: SQLite numbers rows by itself only where the type is `INTEGER`.
NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: Compared letter by letter on both databases.
TERM: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

#: One row for each document, with what finds, filters and sorts it. What is not known is -1. The last three indexes are
#: for who looks through everything in another order than the best first.
documents: Final = sa.Table(
    "documents",
    metadata,
    Column("number", NUMBER, sa.Identity(), primary_key=True),
    Column("id", sa.Uuid, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("subject_kind", sa.Text, nullable=False),
    Column("subject_id", sa.Uuid, nullable=False),
    Column("public", sa.Boolean, nullable=False),  #: whether everybody may find it
    Column("category", sa.Text, nullable=False),
    Column("level", sa.Text, nullable=False),
    Column("language", sa.Text, nullable=False),
    Column("price", sa.BigInteger, nullable=False),
    Column("rating", sa.Integer, nullable=False),  #: hundredths
    Column("duration_seconds", sa.BigInteger, nullable=False),
    Column("published", sa.BigInteger, nullable=False),  #: seconds since 1970
    Column("readers", sa.Text, nullable=False),  #: of what is not public, with `BOUND` before, between and behind
    Column("words", sa.LargeBinary, nullable=False),  #: by which it is found, as a `vector`
    Column("begun", sa.LargeBinary, nullable=False),  #: the beginnings of words by which it is found, as a `vector`
    sa.UniqueConstraint("kind", "id"),
    sa.Index("ix_documents_subject", "subject_kind", "subject_id"),
    sa.Index("ix_documents_rating", "public", "rating", "number"),
    sa.Index("ix_documents_newest", "public", "published", "number"),
    sa.Index("ix_documents_price", "public", "price", "number"),
)

#: What is read of few documents only, apart from `documents`, whose rows are read by the thousand.
contents: Final = sa.Table(
    "contents",
    metadata,
    Column(
        "document", NUMBER, sa.ForeignKey("documents.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("shown", sa.LargeBinary, nullable=False),  #: the JSON of a `Found`
    Column("terms", sa.LargeBinary, nullable=False),  #: the JSON of its terms, each with its impact
)

#: The documents of each term, by its `key`, in the order of their impact, which is how much the term says of them: so
#: the best of a term that a million documents have are read like those of a term that ten have. See `weighing` for the
#: kinds of terms.
postings: Final = sa.Table(
    "postings",
    metadata,
    Column("term", sa.LargeBinary, primary_key=True),
    Column("impact", sa.Integer, primary_key=True, autoincrement=False),
    Column("document", NUMBER, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

#: The words of the index by what becomes of them when one letter is left out; see `words.deletions`.
slips: Final = sa.Table(
    "slips",
    metadata,
    Column("deletion", TERM, primary_key=True),
    Column("term", TERM, primary_key=True),
    sqlite_with_rowid=False,
)

#: Subjects that changed and are not indexed yet. `mark` is another at each change, and ends the claim of who indexes
#: what was before: only what is still claimed is written.
changed: Final = sa.Table(
    "changed",
    metadata,
    Column("kind", sa.Text, primary_key=True),
    Column("subject_id", sa.Uuid, primary_key=True),
    Column("mark", sa.Uuid, nullable=False),
    Column("claim", sa.Uuid),
    Column("due", Timestamp, nullable=False),
    sa.Index("ix_changed_due", "kind", "due"),
)

#: The kinds of subjects that were indexed as a whole once; a source that is new has to be.
sources: Final = sa.Table("sources", metadata, Column("kind", sa.Text, primary_key=True))
