"""Acts as a table that a spreadsheet can open."""

from __future__ import annotations

from typing import Any, Final

from kernel import Answer, Encoded, Page, PageQuery, csv_answer, shared_page
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


def as_csv(found: Page[Act], query: PageQuery) -> Answer[Encoded[Any]]:
    """Return the page *found* for *query* as a table, with the link to the next one that JSON would have."""
    following = shared_page(Page[bytes]([], found.next), query).headers
    headers = {"Link": following["Link"]} if "Link" in following else {}
    return csv_answer("acts", COLUMNS, ([getattr(act, name) for name in COLUMNS] for act in found.items), headers)
