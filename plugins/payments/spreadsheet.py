"""A statement as a table that a spreadsheet can open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from kernel.contracts.payments_http import StatementLine

#: `in` and `out` are never negative: a field that begins with a minus may be read as a formula.
COLUMNS: Final = (
    "created_at",
    "kind",
    "label",
    "in",
    "out",
    "promotional",
    "balance",
    "currency",
    "reason",
    "course_id",
    "reference",
    "id",
)


async def table_of(pages: AsyncIterator[Sequence[StatementLine]]) -> AsyncIterator[list[tuple[object, ...]]]:
    """Yield the lines of *pages* as rows, page by page."""
    async for page in pages:
        yield [_cells(line) for line in page]


def _cells(line: StatementLine) -> tuple[object, ...]:
    return (
        line.created_at.isoformat(),
        line.kind,
        line.label,
        max(line.amount, 0),
        max(-line.amount, 0),
        abs(line.promotional),
        line.balance,
        line.currency,
        line.reason,
        line.course_id,
        line.reference,
        line.id,
    )
