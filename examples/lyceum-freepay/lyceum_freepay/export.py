"""Codes and statements as tables. People write nothing that stands in them, so no cell can be a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from kernel.contracts.payments_http import StatementLine


def table_of_codes(codes: Iterable[str]) -> bytes:
    return _table(["code"], ([code] for code in codes))


def table_of_lines(lines: Iterable[StatementLine]) -> bytes:
    """Return *lines*, all of which are top-ups, so that nothing goes out."""
    rest = [name for name in StatementLine.__struct_fields__ if name not in ("amount", "created_at")]
    rows = ([line.created_at.isoformat(), line.amount, 0, *(getattr(line, name) for name in rest)] for line in lines)
    return _table(["created_at", "in", "out", *rest], rows)


def _table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([titles, *rows])
    return text.getvalue().encode()
