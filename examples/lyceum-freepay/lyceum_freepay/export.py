"""Codes and statements as tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kernel import Answer, Encoded, csv_answer
from kernel.contracts.payments_http import StatementLine


def table_of_codes(codes: Iterable[str]) -> Answer[Encoded[Any]]:
    return csv_answer("vouchers", ["code"], ([code] for code in codes))


def table_of_lines(lines: Iterable[StatementLine]) -> Answer[Encoded[Any]]:
    """Return *lines*, all of which are top-ups, so that nothing goes out."""
    rest = [name for name in StatementLine.__struct_fields__ if name not in ("amount", "created_at")]
    rows = ([line.created_at.isoformat(), line.amount, 0, *(getattr(line, name) for name in rest)] for line in lines)
    return csv_answer("statement", ["created_at", "in", "out", *rest], rows)
