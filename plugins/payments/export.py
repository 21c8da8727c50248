"""The codes of a new batch in the form that the caller accepts."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Final

import msgspec

from kernel import Answer, Encoded
from kernel.contracts.payments_http import VoucherCodes

#: What came later stands behind, for those who read a table by its places.
COLUMNS: Final = (
    *("code", "amount", "currency", "max_uses", "valid_from", "valid_until", "tag"),
    *("kind", "percent", "price", "credit", "course_ids", "max_uses_per_person"),
)
#: Codes are money: no proxy and no browser keeps them.
_KEEP_NOWHERE: Final = {"Cache-Control": "no-store"}


def wants_csv(accept: str) -> bool:
    """Return whether the header *accept* asks for a table."""
    return "text/csv" in accept.lower()


def answer_with(made: VoucherCodes, accept: str) -> Answer[Encoded[VoucherCodes]]:
    """Return *made* as CSV where the header *accept* asks for it, else as JSON."""
    if not wants_csv(accept):
        return Answer(Encoded(msgspec.json.encode(made)), headers=_KEEP_NOWHERE)
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="vouchers-{made.batch.id}.csv"',
    }
    return Answer(Encoded(as_csv(made).encode()), headers=headers | _KEEP_NOWHERE)


def as_csv(made: VoucherCodes) -> str:
    """Return a line for each code. No field begins with a character that a spreadsheet takes for a formula."""
    alike = [_cell(getattr(made.batch, name)) for name in COLUMNS[1:]]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([code, *alike] for code in made.codes)
    return text.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)
