"""Recomputes the whole ledger and says what does not agree, and where.

Reads a page at a time, so that the size of the ledger does not matter, and may run while people buy: what one
statement reads belongs together, and what a later one reads can only be more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel.database import Database, Query
from plugins.payments import audit_queries
from plugins.payments.audit import Moved, Row, missing
from plugins.payments.audit_chain import Ages, Walk
from plugins.payments.chain import Seal

PAGE: Final = 2000  # rows


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
    Check(name="adjustments", query=audit_queries.ADJUSTMENTS, first={"after": _FIRST}),
    Check(name="vouchers", query=audit_queries.VOUCHERS, first={"after": _FIRST}),
    Check(name="redemptions", query=audit_queries.REDEMPTIONS, first={"after": _FIRST}),
)
#: Which transfers are of nothing: asked only where there are more or fewer of them than there should be.
ORPHANS: Final = Check(name="transfers of something", query=audit_queries.ORPHANS, first={"after": _FIRST})
ENTRIES: Final = Check(
    name="entries of wallets", query=audit_queries.ENTRIES, first={"after": _FIRST, "after_version": 0}
)


@dataclass
class Progress:
    """How many rows of which kind have been looked at."""

    rows: dict[str, int] = field(default_factory=dict)
    on_step: Callable[[str], None] = lambda step: None

    def add(self, name: str, count: int) -> None:
        self.rows[name] = self.rows.get(name, 0) + count
        self.on_step(f"{name} ({self.rows[name]})")


async def verify(db: Database, seal: Seal, progress: Progress) -> AsyncIterator[Fault]:
    """Yield every fault of the ledger whose chain was made with *seal*."""
    books = await db.one(audit_queries.BOOKS)
    for what in books.faults():
        yield Fault("ledger", what)
    async for fault in _walked(db, seal, progress):
        yield fault
    for check in (*CHECKS, ORPHANS) if books.causes != books.transfers else CHECKS:
        progress.add(check.name, 0)
        async for rows in _pages(db, check):
            progress.add(check.name, len(rows))
            for fault in await _faults(db, rows):
                yield fault


async def _walked(db: Database, seal: Seal, progress: Progress) -> AsyncIterator[Fault]:
    """Yield what does not agree between wallets and their entries."""
    walk, ages = None, Ages()
    async for entries in _pages(db, ENTRIES):
        progress.add(ENTRIES.name, len(entries))
        for entry in entries:
            if walk is None or walk.wallet_id != entry.wallet_id:
                for fault in _ended(walk, ages, progress):
                    yield fault
                walk = Walk(seal, entry)
            for what in walk.step(entry):
                yield Fault(walk.where(), what)
    for fault in _ended(walk, ages, progress):
        yield fault
    if ages.older:
        progress.add("entries from before the chain", ages.older)
    for what in ages.faults():
        yield Fault("ledger", what)


def _ended(walk: Walk | None, ages: Ages, progress: Progress) -> Iterator[Fault]:
    if walk is not None:
        progress.add("wallets", 1)
        ages.add(walk)
        for what in walk.end():
            yield Fault(walk.where(), what)


async def _pages(db: Database, check: Check) -> AsyncIterator[list[Any]]:
    """Yield page after page; the database reads the next one while this one is looked at."""

    def ask(after: Mapping[str, object]) -> asyncio.Task[list[Any]]:
        return asyncio.ensure_future(db.all(check.query, **after, limit=PAGE))

    coming = ask(check.first)
    try:
        while rows := await coming:
            coming = ask(rows[-1].after())
            await asyncio.sleep(0)  # lets it be sent
            yield rows
    finally:
        coming.cancel()


async def _moved(db: Database, causes: Iterable[Moved | None]) -> Mapping[str, Moved]:
    """Return the transfers that there are of those that there must be, by their keys."""
    keys = [moved.key for moved in causes if moved is not None]
    return {moved.key: moved for moved in await db.all(audit_queries.MOVED, keys=keys)} if keys else {}


async def _faults(db: Database, rows: Sequence[Row]) -> list[Fault]:
    causes = [row.cause_of() for row in rows]
    moved = await _moved(db, causes)
    pairs = zip(rows, causes, strict=True)
    return [Fault(row.where(), what) for row, cause in pairs for what in _of(row, cause, moved)]


def _of(row: Row, cause: Moved | None, moved: Mapping[str, Moved]) -> Iterator[str]:
    yield from row.faults()
    if cause is not None:
        yield from missing(cause, moved.get(cause.key))
