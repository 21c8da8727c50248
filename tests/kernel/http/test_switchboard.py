"""The short way to an endpoint agrees with the long one, or leaves the request to it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from kernel.http.switchboard import Switchboard


async def one(http: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
    return web.Response()


async def other(http: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
    return web.Response()


@pytest.fixture
def switchboard() -> Switchboard:
    found = Switchboard()
    for path in ("/api/notes", "/api/notes/{note_id}", "/api/notes/{note_id}/parts/{number}"):
        found.add("GET", path, one)
    found.add("GET", "/api/notes/mine", other)
    found.add("GET", "/api/notes/export", None)
    found.add("GET", "/api/files/{path:.+}", one)
    found.add("GET", "/api/{other}", one)
    found.add("GET", "/api/pages/{number:[0-9]+}", one)
    found.add("GET", "/api/pages/{name}", other)
    return found


@pytest.mark.parametrize(
    ("path", "serve", "placeholders"),
    [
        ("/api/notes", one, {}),
        ("/api/notes?limit=5", one, {}),
        ("/api/notes/7", one, {"note_id": "7"}),
        ("/api/notes/7/parts/8", one, {"note_id": "7", "number": "8"}),
        ("/api/notes/mine", other, {}),
    ],
)
async def test_switchboard_finds_a_plain_path(
    switchboard: Switchboard, path: str, serve: object, placeholders: dict[str, str]
) -> None:
    """A literal wins over a placeholder, and placeholders have their values by name."""
    assert switchboard.find(make_mocked_request("GET", path)) == (serve, placeholders)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/notes/",
        "/api/notes//parts/8",
        "/api/notes/7/parts",
        "/api/notes/mine/parts/8",
        "/api/notes/a%20b",
        "/api/notes/a#b",
        "/api/notes/export",
        "/api/files/a/b",
        "/api/pages/7",
        "/api/pages/seven",
    ],
)
async def test_switchboard_leaves_what_is_in_doubt(switchboard: Switchboard, path: str) -> None:
    """Whatever is not plain goes the long way."""
    assert switchboard.find(make_mocked_request("GET", path)) is None


async def test_switchboard_leaves_other_methods_and_expectations(switchboard: Switchboard) -> None:
    """Refusals are made in one place, on the long way."""
    assert switchboard.find(make_mocked_request("DELETE", "/api/notes/7")) is None
    assert switchboard.find(make_mocked_request("GET", "/api/notes/7", headers={"Expect": "100-continue"})) is None
