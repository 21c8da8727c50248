"""Answers as tables, in CSV, of which a spreadsheet takes no field for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from aiohttp import web

from kernel.http.answers import NO_HEADERS, Answer, Encoded

Row = Sequence[object]  #: an empty field for None, days and moments as RFC 3339 has them

#: With what a field begins that is run or, with tabs and ends of lines, that runs into the next one.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def wants_csv(http: web.Request) -> bool:
    """Return whether the caller asked for a table by `Accept: text/csv`."""
    return "text/csv" in http.headers.get("Accept", "").lower()


def csv_answer(
    name: str, titles: Row, rows: Iterable[Row], headers: Mapping[str, str] = NO_HEADERS
) -> Answer[Encoded[Any]]:
    """Return *rows* below their *titles* as the file `<name>.csv`, with *headers* beside those that a table has."""
    return Answer(Encoded(_text([titles, *rows])), headers={**_headers(name), **headers})


async def stream_csv(
    http: web.Request, name: str, titles: Row, pages: AsyncIterator[Iterable[Row]]
) -> web.StreamResponse:
    """Send what is too long to be held at once as the file `<name>.csv`.

    What fails before the first page is answered as ever. When a later one can not be read, the connection breaks off,
    so that nobody takes the part for the whole.
    """
    first = await anext(pages, None) or ()  # a tuple for the default breaks `anext` of Python 3.11
    response = web.StreamResponse(headers=_headers(name))
    if http.method == "HEAD":
        return response
    try:
        await response.prepare(http)
        await response.write(_text([titles, *first]))
        async for page in pages:
            await response.write(_text(page))
        await response.write_eof()
    except BaseException:
        if http.transport is not None:
            http.transport.abort()
        raise
    return response


def _headers(name: str) -> dict[str, str]:
    return {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "Cache-Control": "no-store",  # a table is a copy of much at once: no proxy and no browser keeps it
    }


def _text(rows: Iterable[Row]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([_field(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _field(value: object) -> str:
    text = "" if value is None else value.isoformat() if isinstance(value, date) else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
