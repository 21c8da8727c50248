"""The codes of a new batch in the form that the caller accepts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from aiohttp import web

from kernel import Answer, Encoded, csv_answer, wants_csv
from kernel.contracts.payments_http import VoucherCodes

#: What came later stands behind, for those who read a table by its places.
COLUMNS: Final = (
    *("code", "amount", "currency", "max_uses", "valid_from", "valid_until", "tag"),
    *("kind", "percent", "price", "credit", "course_ids", "max_uses_per_person"),
)


def answer_with(made: VoucherCodes, http: web.Request, headers: Mapping[str, str]) -> Answer[Encoded[VoucherCodes]]:
    """Return *made* as a table where the caller asks for it, else as JSON. Codes are money: nobody is to keep it."""
    if not wants_csv(http):
        return Answer(Encoded(msgspec.json.encode(made)), headers={"Cache-Control": "no-store", **headers})
    alike = [_cell(getattr(made.batch, name)) for name in COLUMNS[1:]]
    return csv_answer(f"vouchers-{made.batch.id}", COLUMNS, ([code, *alike] for code in made.codes), headers)


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return value.isoformat() if isinstance(value, datetime) else value
