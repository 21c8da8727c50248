"""The tables of enrolments."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Timestamp, new_metadata

metadata: Final = new_metadata()

_BEGINNING: Final = sa.text("announce_at IS NOT NULL AND state = 'active' AND ended_at IS NULL")
_ENDING: Final = sa.text("ends_at IS NOT NULL AND ended_at IS NULL")
_ACTIVE: Final = sa.text("state IN ('pending', 'completed')")
_PENDING: Final = sa.text("state = 'pending'")
_ASKED: Final = sa.text("state = 'asked'")

#: Each row is a reason why a person may take a course; access is the sum of those that count now.
grants: Final = sa.Table(
    "grants",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("user_id", sa.Uuid, nullable=False),
    Column("course_id", sa.Uuid, nullable=False),
    Column("source", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("purchase_id", sa.Uuid),
    Column("granted_by", sa.Uuid),
    Column("starts_at", Timestamp, nullable=False),
    Column("ends_at", Timestamp),
    Column("ended_at", Timestamp),  #: when its end was told
    Column("created_at", Timestamp, nullable=False),
    Column("announce_at", Timestamp),  #: when its beginning is to be told; None once it was
    sa.Index("ix_grants_person", "user_id", "course_id"),
    sa.Index("ix_grants_course", "course_id", "id"),
    sa.Index("ix_grants_beginning", "announce_at", postgresql_where=_BEGINNING, sqlite_where=_BEGINNING),
    sa.Index("ix_grants_ending", "ends_at", postgresql_where=_ENDING, sqlite_where=_ENDING),
)

#: One row for each attempt to buy. `uq_purchases_active` is what keeps two attempts with different keys from both
#: being charged: a course is bought once until that purchase failed or ended.
purchases: Final = sa.Table(
    "purchases",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("user_id", sa.Uuid, nullable=False),
    Column("course_id", sa.Uuid, nullable=False),
    Column("grant_id", sa.Uuid, nullable=False),
    Column("key", sa.Text, nullable=False),
    Column("request_hash", sa.LargeBinary, nullable=False),
    Column("amount", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("checked_at", Timestamp),  #: when the sweeper last took it up
    Column("settled_at", Timestamp),
    Column("voucher_kind", sa.Text),  #: of the voucher that it is bought with; its code stands nowhere
    Column("alarmed_at", Timestamp),  #: when it was remarked on that it takes too long
    sa.UniqueConstraint("user_id", "key", name="uq_purchases_key"),
    sa.Index(
        "uq_purchases_active",
        "user_id",
        "course_id",
        unique=True,
        postgresql_where=_ACTIVE,
        sqlite_where=_ACTIVE,
    ),
    sa.Index("ix_purchases_pending", "created_at", postgresql_where=_PENDING, sqlite_where=_PENDING),
)

#: The limit of a course that has one; a course without a row has none. `taken` is the number of its rows in `seats`.
#: Whatever changes seats locks the course's row here first, and then looks at what it rests on.
terms: Final = sa.Table(
    "terms",
    metadata,
    Column("course_id", sa.Uuid, primary_key=True),
    Column("seats", sa.Integer, nullable=False),
    Column("taken", sa.Integer, nullable=False),
    sa.CheckConstraint("seats >= 0", name="seats"),
    sa.CheckConstraint("taken >= 0", name="taken"),
)

#: Who has a seat of a course that has a limit: one, whatever the number of grants.
seats: Final = sa.Table(
    "seats",
    metadata,
    Column("course_id", sa.Uuid, primary_key=True),
    Column("user_id", sa.Uuid, primary_key=True),
)

#: What is shown of courses beside enrolments, as `courses` tells it.
courses: Final = sa.Table(
    "courses",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("title", sa.Text, nullable=False),
    Column("status", sa.Text, nullable=False),
    Column("version", sa.Integer, nullable=False),
)

#: Calls to other modules that handlers have left for after their commit.
errands: Final = sa.Table(
    "errands",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("kind", sa.Text, nullable=False),
    Column("subject", sa.Uuid, nullable=False),  #: the course or purchase
    Column("reason", sa.Text, nullable=False),
)

#: Refunds that somebody has asked for: written before payments are asked, so that whatever dies the refund is finished
#: and its act recorded. What was asked under a key never changes; who did is forgotten once it is `given` or `refused`.
refund_requests: Final = sa.Table(
    "refund_requests",
    metadata,
    Column("key", sa.Text, primary_key=True),  #: the refund's at payments
    Column("request_hash", sa.LargeBinary, nullable=False),
    Column("purchase_id", sa.Uuid, nullable=False),
    Column("amount", sa.BigInteger),
    Column("reason", sa.Text, nullable=False),
    Column("actor", sa.Uuid),
    Column("acting_as", sa.Uuid),
    Column("origin", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("tried_at", Timestamp, nullable=False),  #: when payments were last to be asked
    sa.Index("ix_refund_requests_asked", "tried_at", postgresql_where=_ASKED, sqlite_where=_ASKED),
)

#: What a person's key was first sent with to use a voucher. A top-up leaves its key with payments, a purchase here:
#: only this row keeps one key from doing both.
voucher_requests: Final = sa.Table(
    "voucher_requests",
    metadata,
    Column("user_id", sa.Uuid, primary_key=True),
    Column("key", sa.Text, primary_key=True),
    Column("request_hash", sa.LargeBinary, nullable=False),
)
