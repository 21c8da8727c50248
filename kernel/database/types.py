"""Column types that mean the same on PostgreSQL and SQLite."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

#: Names for constraints that have none, so that migrations can name them.
NAMING: Final = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

#: JSON: `jsonb` on PostgreSQL, text on SQLite.
Json: Final = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


#: Turns one value on its way to or from the database.
Processor = Callable[[datetime | None], datetime | None]


class Timestamp(sa.types.TypeDecorator[datetime]):
    """A moment in UTC with microseconds: `timestamptz` on PostgreSQL, ISO text in UTC on SQLite.

    Takes and gives only datetimes with a time zone.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; use the clock of the context")
        moment = value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Processor | None:
        # asyncpg gives moments in UTC by itself: nothing to do for each value.
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)


def new_metadata() -> sa.MetaData:
    """Return the metadata for a plugin's tables, with names for all constraints."""
    return sa.MetaData(naming_convention=NAMING)
