"""Tables: safe to open in a spreadsheet, and whole or seen to be cut."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from kernel import PUBLIC, Answer, Encoded, Request, csv_answer, errors, get, stream_csv, wants_csv
from kernel.http.tables import Row
from tests.kernel.http.serving import MOUNT, serving


@pytest.mark.parametrize("field", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", -1])
def test_no_field_is_a_formula(field: object) -> None:
    """Whatever it begins with, and also when it is a number."""
    answer = csv_answer("plants", ["name"], [[field]])

    assert rows_of(answer.value.body) == [["name"], [f"'{field}"]]


def test_field_is_text_as_it_is() -> None:
    """What needs quotes is quoted, and nothing is an empty field."""
    answer = csv_answer("plants", ["name", "note", "number"], [['Fern, "royal"', None, 7], ["a\nb", "x=1", 0]])

    assert rows_of(answer.value.body)[1:] == [['Fern, "royal"', "", "7"], ["a\nb", "x=1", "0"]]


async def test_table_is_a_file_that_nobody_keeps() -> None:
    """It has the file's name, and the headers that are the route's own."""

    async def plants() -> Answer[Encoded[object]]:
        return csv_answer("plants", ["name"], [["Fern"]], {"Link": '<?cursor=2>; rel="next"'})

    async with serving([get("", plants, permission=PUBLIC)]) as client:
        response = await client.get(MOUNT)

        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert response.headers["Content-Disposition"] == 'attachment; filename="plants.csv"'
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Link"] == '<?cursor=2>; rel="next"'


async def test_long_table_comes_page_by_page() -> None:
    """Below one line of titles, for those who ask for a table; also when there are no pages."""

    async def plants(request: Request) -> str | web.StreamResponse:
        if not wants_csv(request.http):
            return "plants"
        return await stream_csv(request.http, "plants", ["name"], several([["Fern"], ["=1"]], [["Moss"]]))

    async def none(request: Request) -> web.StreamResponse:
        return await stream_csv(request.http, "none", ["name"], several())

    async with serving([get("/some", plants, permission=PUBLIC), get("/none", none, permission=PUBLIC)]) as client:
        some = await client.get(f"{MOUNT}/some", headers={"Accept": "Text/CSV"})
        empty = await client.get(f"{MOUNT}/none")
        value = await client.get(f"{MOUNT}/some")

        assert rows_of(await some.read()) == [["name"], ["Fern"], ["'=1"], ["Moss"]]
        assert some.headers["Content-Disposition"] == 'attachment; filename="plants.csv"'
        assert rows_of(await empty.read()) == [["name"]]
        assert await value.json() == "plants"


async def test_table_that_can_not_be_begun_is_a_problem() -> None:
    """Nothing was sent yet, so there is another answer."""

    async def plants(request: Request) -> web.StreamResponse:
        return await stream_csv(request.http, "plants", ["name"], broken_after())

    async with serving([get("", plants, permission=PUBLIC)]) as client:
        response = await client.get(MOUNT)

        assert (response.status, response.content_type) == (503, "application/problem+json")


async def test_table_that_breaks_off_is_seen_to_be_cut() -> None:
    """A page that can not be read leaves no table that looks whole."""

    async def plants(request: Request) -> web.StreamResponse:
        return await stream_csv(request.http, "plants", ["name"], broken_after([["Fern"]]))

    async with serving([get("", plants, permission=PUBLIC)]) as client:
        with pytest.raises(aiohttp.ClientError):
            await (await client.get(MOUNT)).read()


async def several(*pages: list[Row]) -> AsyncIterator[list[Row]]:
    for page in pages:
        yield page


async def broken_after(*pages: list[Row]) -> AsyncIterator[list[Row]]:
    for page in pages:
        yield page
    raise errors.DatabaseUnavailable("plants: gone")


def rows_of(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode(), newline="")))
