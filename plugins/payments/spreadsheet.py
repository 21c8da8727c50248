"""A statement as a table that a spreadsheet can open, sent page by page."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from aiohttp import web

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
_HEADERS: Final = {
    "Content-Type": "text/csv; charset=utf-8",
    "Content-Disposition": 'attachment; filename="statement.csv"',
    "Cache-Control": "no-store",
}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


async def stream_statement(http: web.Request, pages: AsyncIterator[Sequence[StatementLine]]) -> web.StreamResponse:
    """Send *pages* as one table. When a later page can not be read, the answer breaks off and is seen to be cut."""
    first = await anext(pages, None) or ()  # fails while there can still be another answer
    response = web.StreamResponse(headers=_HEADERS)
    if http.method == "HEAD":
        return response
    try:
        await response.prepare(http)
        await response.write(_text([COLUMNS]) + _text(map(_cells, first)))
        async for page in pages:
            await response.write(_text(map(_cells, page)))
        await response.write_eof()
    except BaseException:
        if http.transport is not None:
            http.transport.abort()
        raise
    return response


def safe(text: str) -> str:
    """Return *text* so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


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
        safe(line.reason),
        line.course_id or "",
        line.reference,
        line.id,
    )


def _text(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
