"""Acts as a table that a spreadsheet can open: all that pass the filters, with their links of the chain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from plugins.audit.log import Act

COLUMNS: Final = (
    "number",
    "time",
    "action",
    "subject",
    "about",
    "actor",
    "acting_as",
    "origin",
    "reason",
    "before",
    "after",
    "source",
    "request_id",
    "event_id",
    "link",
)


async def table_of(pages: AsyncIterator[Sequence[Act]]) -> AsyncIterator[Iterator[tuple[object, ...]]]:
    """Yield the acts of *pages* as rows, page by page."""
    async for page in pages:
        yield map(_cells, page)


def _cells(act: Act) -> tuple[object, ...]:
    return (
        act.number,
        act.happened_at.isoformat(),
        act.action,
        act.subject,
        act.about,
        act.actor,
        act.acting_as,
        act.origin,
        act.reason,
        act.before,
        act.after,
        act.source,
        act.correlation_id,
        act.event_id,
        act.link.hex(),
    )
