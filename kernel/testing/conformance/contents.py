"""What a plugin's tables hold at a moment, so that two moments can be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from kernel.database import Database
from kernel.database.tables import outbox

Row = tuple[tuple[str, str], ...]  #: column and value


@dataclass(frozen=True)
class Contents:
    """Table → its rows, and what was told: the outbox without what each event has of its own."""

    rows: Mapping[str, Counter[Row]]

    @classmethod
    async def read(cls, db: Database, metadata: sa.MetaData | None) -> Contents:
        """Return what the tables of *metadata* hold."""
        selects = {table.name: sa.select(table) for table in (metadata.tables.values() if metadata is not None else ())}
        told = {"the outbox": sa.select(outbox.c.type, outbox.c.key, outbox.c.data)}
        async with db.engine().connect() as connection:
            found = {
                name: Counter(map(_row, (await connection.execute(select)).mappings()))
                for name, select in {**selects, **told}.items()
            }
        return cls(found)

    def differences(self, later: Contents) -> list[str]:
        """Return what *later* holds otherwise, for people: a table and the columns that tell the difference."""
        return [
            f"{name} ({', '.join(_columns(rows, later.rows[name]))})"
            for name, rows in self.rows.items()
            if rows != later.rows[name]
        ]

    def losses(self, later: Contents, tables: Collection[str]) -> list[str]:
        """Return what *later* holds otherwise in *tables*, and which others have more or fewer rows."""
        return [
            name
            for name, rows in self.rows.items()
            if rows != later.rows[name] and (name in tables or rows.total() != later.rows[name].total())
        ]

    def holding(self, text: str) -> list[str]:
        """Return the tables in which *text* stands."""
        return [name for name, rows in self.rows.items() if any(text in value for row in rows for _, value in row)]


def _row(values: Mapping[Any, Any]) -> Row:
    return tuple((str(column), repr(value)) for column, value in values.items())


def _columns(before: Counter[Row], after: Counter[Row]) -> Iterator[str]:
    gone, come = before - after, after - before
    if gone.total() != come.total():
        yield f"{after.total() - before.total():+d} rows"
        return
    changed = {cell[0] for one in gone for cell in one} & {cell[0] for one in come for cell in one}
    for column in sorted(changed):
        if {dict(one)[column] for one in gone} != {dict(one)[column] for one in come}:
            yield column
