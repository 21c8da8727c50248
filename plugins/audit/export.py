"""Acts as a table that a spreadsheet opens and does not execute."""

from __future__ import annotations

import csv
import io
from typing import Any, Final

from kernel import Answer, Encoded, Page, PageQuery, shared_page
from plugins.audit.log import Act

COLUMNS: Final = (
    "number",
    "happened_at",
    "action",
    "subject",
    "actor",
    "acting_as",
    "origin",
    "reason",
    "before",
    "after",
    "source",
    "correlation_id",
    "event_id",
    "about",
)
#: With what a spreadsheet takes a field for a formula, or for a second field.
_EXECUTED: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_csv(found: Page[Act], query: PageQuery) -> Answer[Encoded[Any]]:
    """Return the page *found* for *query* as CSV, with the link to the next one that JSON would have."""
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": 'attachment; filename="acts.csv"',
    }
    following = shared_page(Page[bytes]([], found.next), query).headers
    if "Link" in following:
        headers["Link"] = following["Link"]
    return Answer(Encoded(_table(found).encode()), headers=headers)


def _table(found: Page[Act]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_field(getattr(act, name)) for name in COLUMNS] for act in found.items)
    return text.getvalue()


def _field(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_EXECUTED) else text
