"""The certificates."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Timestamp, new_metadata

metadata: Final = new_metadata()

_WAITING: Final = sa.text("issued_at IS NULL AND withdrawn_at IS NULL")

#: One for each person and course. `person`, `course`, `issuer` and `signature` are what was so when it was issued, and
#: empty before. `told_at` is the time of the last event that was heeded, so that an older one changes nothing.
certificates: Final = sa.Table(
    "certificates",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("code", sa.Text, nullable=False, unique=True),
    Column("user_id", sa.Uuid, nullable=False),
    Column("course_id", sa.Uuid, nullable=False),
    Column("person", sa.Text, nullable=False),
    Column("course", sa.Text, nullable=False),
    Column("issuer", sa.Text, nullable=False),
    Column("signature", sa.Text, nullable=False),
    Column("enrolled_at", Timestamp, nullable=False),
    Column("issued_at", Timestamp),
    Column("withdrawn_at", Timestamp),
    Column("told_at", Timestamp, nullable=False),
    sa.UniqueConstraint("user_id", "course_id"),
    sa.Index("ix_certificates_user_id_id", "user_id", "id"),
    sa.Index("ix_certificates_waiting", "id", postgresql_where=_WAITING, sqlite_where=_WAITING),
)
