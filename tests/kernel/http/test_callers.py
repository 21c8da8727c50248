"""Who may call: identity, permission, address, and requests that another site made a browser send."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest
from yarl import URL

from kernel import PUBLIC, SIGNED_IN, Idempotency, Request, get, new_id, post
from kernel.correlation import current_cause
from kernel.http.access import AccessLine
from kernel.http.settings import HttpSettings
from tests.kernel.http.serving import DEPLOYMENT, MOUNT, bearing, serving


class ByName(msgspec.Struct, forbid_unknown_fields=True):
    name: str


async def who(request: Request) -> str:
    return "stranger" if request.caller is None else str(request.caller.id)


async def story(request: Request) -> list[str]:
    return [str(request.id), str(current_cause().correlation)]


async def address(request: Request) -> str:
    return request.address


async def found(query: ByName) -> str:
    return query.name


ROUTES = [
    get("/public", who, permission=PUBLIC),
    get("/signed-in", who, permission=SIGNED_IN),
    get("/readers", who, permission="notes.read"),
    post("/readers", who, permission="notes.read", idempotency=Idempotency.NONE),
    post("/writers", who, permission="notes.write", idempotency=Idempotency.NONE),
    post("/public", who, permission=PUBLIC, idempotency=Idempotency.NONE),
    get("/story", story, permission=PUBLIC),
    get("/address", address, permission=PUBLIC),
    get("/found", found, permission="notes.read"),
]


@pytest.mark.parametrize(
    ("path", "stranger", "somebody", "reader"),
    [("/public", 200, 200, 200), ("/signed-in", 401, 200, 200), ("/readers", 401, 403, 200)],
)
async def test_permission_is_checked_before_the_handler(path: str, stranger: int, somebody: int, reader: int) -> None:
    """A stranger is asked to sign in, a person without the permission is refused."""
    async with serving(ROUTES) as client:
        assert (await client.get(MOUNT + path)).status == stranger
        assert (await client.get(MOUNT + path, headers=bearing("other"))).status == somebody
        assert (await client.get(MOUNT + path, headers=bearing("notes.read"))).status == reader


async def test_permission_that_is_missing_is_named() -> None:
    """Whoever is refused can ask an administrator for the right thing."""
    async with serving(ROUTES) as client:
        response = await client.get(f"{MOUNT}/readers", headers=bearing("other"))

        problem = await response.json(content_type=None)
        assert (problem["type"], problem["permission"]) == ("/problems/forbidden", "notes.read")


async def test_token_that_is_invalid_is_401_even_on_a_public_route() -> None:
    """A client with an expired token learns it, and is not served as a stranger without noticing."""
    async with serving(ROUTES) as client:
        response = await client.get(f"{MOUNT}/public", headers={"Authorization": "Bearer expired"})

        assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_identity_that_nobody_provides_makes_strangers() -> None:
    """Without `auth/1` public routes serve and all others ask for a sign-in."""
    async with serving(ROUTES, identity=False) as client:
        assert (await client.get(f"{MOUNT}/public")).status == 200
        assert (await client.get(f"{MOUNT}/signed-in", headers=bearing("notes.read"))).status == 401


async def test_request_id_comes_in_and_goes_out() -> None:
    """A UUID that came along is the request's id, the id of its story and the id in the answer."""
    given = str(new_id())
    async with serving(ROUTES) as client:
        response = await client.get(f"{MOUNT}/story", headers={"X-Request-ID": given})

        assert response.headers["X-Request-ID"] == given
        assert await response.json() == [given, given]


@pytest.mark.parametrize("given", ["", "42", "../../etc/passwd", "0193B1C0-0000-7000-8000-000000000000", "a" * 5000])
async def test_request_id_that_is_no_uuid_is_replaced(given: str) -> None:
    """Nothing that a client made up gets into logs and headers."""
    async with serving(ROUTES) as client:
        response = await client.get(f"{MOUNT}/story", headers={"X-Request-ID": given})

        assert response.headers["X-Request-ID"] != given
        assert UUID(response.headers["X-Request-ID"]).version == 7


@pytest.mark.parametrize(
    ("trusted", "forwarded", "expected"),
    [
        ((), "203.0.113.9", "127.0.0.1"),
        (("127.0.0.0/8",), None, "127.0.0.1"),
        (("127.0.0.0/8",), "203.0.113.9", "203.0.113.9"),
        (("127.0.0.0/8",), "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (("127.0.0.0/8", "10.0.0.0/8"), "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        (("127.0.0.0/8",), "nonsense", "127.0.0.1"),
        (("127.0.0.0/8",), "203.0.113.9, nonsense", "127.0.0.1"),
        (("127.0.0.0/8",), "2001:db8::7", "2001:db8::7"),
    ],
)
async def test_address_is_believed_of_trusted_proxies_only(
    trusted: tuple[str, ...], forwarded: str | None, expected: str
) -> None:
    """What a client writes into `X-Forwarded-For` counts for nothing."""
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    async with serving(ROUTES, settings=HttpSettings(trusted_proxies=trusted)) as client:
        assert await (await client.get(f"{MOUNT}/address", headers=headers)).json() == expected


@pytest.mark.parametrize(
    ("method", "path", "recorded"),
    [
        ("POST", "/readers", ["POST /api/v1/notes/readers"]),
        ("GET", "/readers", []),
        ("POST", "/writers", []),
    ],
)
async def test_change_in_the_place_of_another_is_recorded_before_it_is_made(
    method: str, path: str, recorded: list[str]
) -> None:
    """A read is not, nor what the permission forbids."""
    acted: list[str] = []
    async with serving(ROUTES, acted=acted) as client:
        status = (await client.request(method, MOUNT + path, headers=bearing("notes.read", actor=new_id()))).status

        assert (status, acted) == (403 if path == "/writers" else 200, recorded)


async def test_change_that_can_not_be_recorded_is_not_made() -> None:
    """Whoever stands in for another does nothing unseen; a person for themselves needs no record."""
    async with serving(ROUTES) as client:
        acting = await client.post(f"{MOUNT}/readers", headers=bearing("notes.read", "unrecorded", actor=new_id()))
        themselves = await client.post(f"{MOUNT}/readers", headers=bearing("notes.read", "unrecorded"))

        assert (acting.status, themselves.status) == (503, 200)


COOKIE = {"Cookie": "refresh=abc"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "https://evil.example"}, 200),
        (COOKIE, 200),
        (COOKIE | {"Origin": DEPLOYMENT.public_url}, 200),
        (COOKIE | {"Origin": DEPLOYMENT.public_url, "Sec-Fetch-Site": "same-origin"}, 200),
        (COOKIE | {"Origin": "https://evil.example"}, 403),
        (COOKIE | {"Origin": "null"}, 403),
        (COOKIE | {"Origin": f"{DEPLOYMENT.public_url}.evil.example"}, 403),
        (COOKIE | {"Sec-Fetch-Site": "cross-site"}, 403),
        (COOKIE | {"Sec-Fetch-Site": "same-site"}, 403),
        (COOKIE | bearing("notes.read") | {"Origin": "https://evil.example"}, 200),
    ],
)
async def test_cookie_changes_nothing_for_another_site(headers: dict[str, str], status: int) -> None:
    """A change that a browser sends with our cookie must come from our own pages."""
    async with serving(ROUTES) as client:
        assert (await client.post(f"{MOUNT}/public", headers=headers)).status == status


async def test_cookie_may_read_from_anywhere() -> None:
    """A read changes nothing, so it is not refused."""
    async with serving(ROUTES) as client:
        headers = COOKIE | {"Origin": "https://evil.example"}
        assert (await client.get(f"{MOUNT}/public", headers=headers)).status == 200


async def test_request_is_logged_once_without_its_query() -> None:
    """The log says who asked for what with which result, and nothing that may be personal."""
    told: list[AccessLine] = []
    person = new_id()
    async with serving(ROUTES, told=told) as client:
        response = await client.get(f"{MOUNT}/found?name=Ada", headers=bearing("notes.read", person=person))

        assert response.status == 200
    (line,) = told
    assert (line.plugin, line.method, line.route, line.path) == ("notes", "GET", f"{MOUNT}/found", f"{MOUNT}/found")
    assert (line.status, line.address, line.person) == (200, "127.0.0.1", person)
    assert str(line.request_id) == response.headers["X-Request-ID"]


async def test_log_shows_a_path_as_it_was_sent() -> None:
    """Escapes stay escapes: a path can not write lines or colours into the log."""
    told: list[AccessLine] = []
    async with serving(ROUTES, told=told) as client:
        await client.get(URL("/a%0Ab%1B[31m", encoded=True))

    assert [line.path for line in told] == ["/a%0Ab%1B[31m"]
