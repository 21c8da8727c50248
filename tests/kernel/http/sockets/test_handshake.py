"""Who may open a WebSocket: every refusal is an answer as of any other route, before the connection changes hands."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import aiohttp
import pytest

from kernel import PUBLIC, SIGNED_IN, Connection, Principal, Request, get, new_id, problems, socket
from kernel.http.access import AccessLine
from kernel.http.settings import HttpSettings
from kernel.http.sockets.tickets import Tickets
from kernel.testing.clock import MovableClock
from tests.kernel.http.serving import DEPLOYMENT, MOUNT, bearing, serving
from tests.kernel.http.sockets.speaking import PATH, Echo, Stage

ORIGIN = {"Origin": DEPLOYMENT.public_url}
COOKIE = {"Cookie": "session=of-ada"}
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def status_of(client: aiohttp.ClientSession, headers: Mapping[str, str], path: str = PATH) -> int:
    """Return the status of a handshake; a refusal is a problem document."""
    try:
        async with client.ws_connect(path, headers=headers):
            return 101
    except aiohttp.WSServerHandshakeError as refused:
        is_problem = refused.headers is not None and refused.headers["Content-Type"] == "application/problem+json"
        return refused.status if is_problem else 0


@pytest.mark.parametrize(
    ("permission", "stranger", "somebody", "reader"),
    [(PUBLIC, 101, 101, 101), (SIGNED_IN, 401, 101, 101), ("notes.read", 401, 403, 101)],
)
async def test_permission_is_checked_before_the_upgrade(
    permission: str, stranger: int, somebody: int, reader: int
) -> None:
    """As of a route."""
    async with serving(sockets=[Stage().socket(permission)]) as client:
        assert await status_of(client, {}) == stranger
        assert await status_of(client, bearing("other")) == somebody
        assert await status_of(client, bearing("notes.read")) == reader
        assert await status_of(client, {"Authorization": "Bearer expired"}) == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 101),
        (ORIGIN, 101),
        ({"Origin": "HTTPS://LEARN.example.org"}, 101),
        ({"Origin": "https://app.example"}, 101),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://learn.example.org"}, 403),
        (COOKIE, 403),
        (COOKIE | ORIGIN, 101),
        (COOKIE | {"Origin": "https://evil.example"}, 403),
        (COOKIE | {"Origin": "null"}, 403),
        (COOKIE | bearing("any"), 101),
        (bearing("any") | {"Origin": "https://evil.example"}, 403),
    ],
)
async def test_page_of_another_site_opens_nothing(headers: dict[str, str], status: int) -> None:
    """A30: a browser would send our cookie along; a cookie that does not come with its page's origin is refused too."""
    settings = HttpSettings(socket_origins=("https://app.example",))
    async with serving(sockets=[Stage().socket()], settings=settings) as client:
        assert await status_of(client, headers) == status


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": "close"}, 426),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Key": ""}, 400),
        ({"Sec-WebSocket-Key": "not base64!"}, 400),
        ({"Sec-WebSocket-Key": "c2hvcnQ="}, 400),
    ],
)
async def test_request_that_is_no_handshake_is_answered(changed: dict[str, str], status: int) -> None:
    """With what it would take, and the connection goes on as HTTP."""
    async with (
        serving(sockets=[Stage().socket()]) as client,
        client.get(PATH, headers=UPGRADE | changed) as answer,
    ):
        document = await answer.json(content_type=None)

    assert (answer.status, document["status"]) == (status, status)
    assert status == 400 or answer.headers["Sec-WebSocket-Version"] == "13"


async def test_key_is_answered_as_the_rfc_has_it() -> None:
    """Its own example, with the id of the request."""
    given = str(new_id())
    async with (
        serving(sockets=[Stage().socket()]) as client,
        client.get(PATH, headers=UPGRADE | {"X-Request-ID": given}) as answer,
    ):
        assert answer.status == 101
        assert answer.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert answer.headers["X-Request-ID"] == given


async def test_opener_may_refuse_and_what_it_sends_goes_out_first() -> None:
    """It is asked before anything is accepted, with the values of the placeholders."""
    stage = Stage()

    async def open_room(request: Request, connection: Connection) -> Echo:
        if request.placeholders["room"] != "oak":
            raise problems.NotFound
        connection.send(b"welcome")
        return Echo(connection, stage)

    async with serving(sockets=[socket("/{room}/talk", open_room, permission=PUBLIC)]) as client:
        assert await status_of(client, {}, f"{MOUNT}/fern/talk") == 404
        async with client.ws_connect(f"{MOUNT}/oak/talk") as ws:
            assert await ws.receive_str() == "welcome"


async def test_socket_and_routes_share_paths() -> None:
    """Of one path, other methods are routes; and a socket is found beside a placeholder."""

    async def say(word: str) -> str:
        return word

    async with serving([get("/{word}", say, permission=PUBLIC)], sockets=[Stage().socket()]) as client:
        assert await status_of(client, {}) == 101
        assert await (await client.get(f"{MOUNT}/walk")).json() == "walk"
        assert (await client.post(PATH)).headers["Allow"] == "GET, OPTIONS"


async def test_handshake_is_logged_once_without_the_ticket() -> None:
    """With its status; the ticket stands in the query, which no line of ours has."""
    told: list[AccessLine] = []
    tickets = Tickets(None, MovableClock())
    ticket = await tickets.issue(person())
    async with serving(sockets=[Stage().socket(SIGNED_IN)], told=told, tickets=tickets) as client:
        assert await status_of(client, {}, f"{PATH}?ticket={ticket}") == 101

    (line,) = told
    assert (line.method, line.route, line.status) == ("GET", PATH, 101)
    assert ticket not in repr(line)


async def test_handshakes_of_one_person_are_limited() -> None:
    """Whoever connects again and again is told when to come back; others are not in the way of it."""
    settings = HttpSettings(socket_handshakes="3/minute")
    ada, bob = bearing("any"), bearing("any")
    async with serving(sockets=[Stage().socket()], settings=settings) as client:
        assert [await status_of(client, ada) for _ in range(4)] == [101, 101, 101, 429]
        assert await status_of(client, bob) == 101


async def test_who_stands_in_for_another_is_recorded() -> None:
    """A socket changes things; before anything is opened, and nothing is where that fails."""
    acted: list[str] = []
    async with serving(sockets=[Stage().socket()], acted=acted) as client:
        assert await status_of(client, bearing("any", actor=new_id())) == 101
        assert await status_of(client, bearing("unrecorded", actor=new_id())) == 503
    assert acted == [f"GET {PATH}"]


async def test_connections_of_an_address_are_counted_until_they_are_gone() -> None:
    """Those that changed hands as well, and none twice."""
    settings = HttpSettings(connections_per_address=2)
    stage = Stage()
    async with serving(sockets=[stage.socket()], settings=settings) as client:
        for _ in range(3):
            async with client.ws_connect(PATH), client.ws_connect(PATH):
                with pytest.raises(aiohttp.ClientError):
                    await client.ws_connect(PATH)


async def test_disabled_and_failed_plugins_open_nothing() -> None:
    """404 and 503, as their routes."""
    async with serving(sockets=[Stage().socket()], disabled={"moss": "moss"}, failed="broken") as client:
        assert await status_of(client, {}, "/api/v1/moss/talk") == 404
        assert await status_of(client, {}) == 503


def person() -> Principal:
    """Return somebody."""
    return Principal(id=new_id(), session=UUID(int=1), roles=frozenset(), permissions=frozenset())
