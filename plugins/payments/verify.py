"""Recomputes the whole ledger and says what does not agree, and where.

Reads a page at a time, so that the size of the ledger does not matter, and may run while people buy: what one
statement reads belongs together, and what a later one reads can only be more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel.database import Database, Query
from plugins.payments import audit_queries
from plugins.payments.audit import Moved, Row, missing

PAGE: Final = 1000  # rows


class Fault(msgspec.Struct, frozen=True):
    """Two things that should agree and do not."""

    where: str  #: which row, such as `wallet 0198…`
    what: str


@dataclass(frozen=True, kw_only=True)
class Check:
    """Goes through all rows of one kind, beginning after the values *first*."""

    name: str
    query: Query[Any]  #: of a `Row`
    first: Mapping[str, object]


_FIRST: Final = UUID(int=0)  # no id is so small
#: In the order of the reading: what is wrong at the bottom explains what is wrong above.
CHECKS: Final = (
    Check(name="transfers", query=audit_queries.TRANSFERS, first={"after": _FIRST}),
    Check(name="wallets", query=audit_queries.WALLETS, first={"after": _FIRST}),
    Check(name="charges", query=audit_queries.CHARGES, first={"after": _FIRST}),
    Check(name="refunds", query=audit_queries.REFUNDS, first={"after": ""}),
    Check(name="vouchers", query=audit_queries.VOUCHERS, first={"after": _FIRST}),
    Check(name="redemptions", query=audit_queries.REDEMPTIONS, first={"after": _FIRST, "after_user": _FIRST}),
)


@dataclass
class Progress:
    """How many rows of which kind have been looked at."""

    rows: dict[str, int] = field(default_factory=dict)
    on_step: Callable[[str], None] = lambda step: None

    def add(self, name: str, count: int) -> None:
        self.rows[name] = self.rows.get(name, 0) + count
        self.on_step(f"{name} ({self.rows[name]})")


async def verify(db: Database, progress: Progress) -> AsyncIterator[Fault]:
    """Yield every fault of the ledger."""
    books = await db.one(audit_queries.BOOKS)
    for what in books.faults():
        yield Fault("ledger", what)
    for check in CHECKS:
        progress.add(check.name, 0)
        async for rows in _pages(db, check):
            progress.add(check.name, len(rows))
            for fault in _faults(rows, await _moved(db, rows)):
                yield fault


async def _pages(db: Database, check: Check) -> AsyncIterator[list[Row]]:
    after = check.first
    while rows := await db.all(check.query, **after, limit=PAGE):
        yield rows
        after = rows[-1].after()


async def _moved(db: Database, rows: Sequence[Row]) -> Mapping[str, Moved]:
    keys = [moved.key for row in rows if (moved := row.cause_of()) is not None]
    return {moved.key: moved for moved in await db.all(audit_queries.MOVED, keys=keys)} if keys else {}


def _faults(rows: Sequence[Row], moved: Mapping[str, Moved]) -> Iterator[Fault]:
    for row in rows:
        expected = row.cause_of()
        transfer_faults = missing(expected, moved.get(expected.key)) if expected is not None else ()
        for what in (*row.faults(), *transfer_faults):
            yield Fault(row.where(), what)
