"""What goes out: encoding, entity tags, pages, and answers with more than a value."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import msgspec
import pytest
from aiohttp import web
from yarl import URL

from kernel import PUBLIC, Idempotency, Page, PageQuery, Request, get, page, post, put, shared_page
from kernel.http.answers import Answer, Cookie, Encoded, Renders, etag_of, require_match
from tests.kernel.http.serving import MOUNT, serving

NOTE_ID = UUID("0193b1c0-0000-7000-8000-000000000000")


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: UUID
    title: str


NOTE = Note(NOTE_ID, "Ferns")


class Named(PageQuery, frozen=True, kw_only=True):
    name: str | msgspec.UnsetType = msgspec.UNSET


async def show() -> Note:
    return NOTE


async def listed(query: PageQuery) -> Page[int]:
    start = (query.after(int) or 0) + 1
    return page(list(range(start, min(start + query.limit + 1, 6))), query, lambda number: number)


async def test_result_is_encoded_as_json() -> None:
    """A Struct becomes JSON with its own media type."""
    async with serving([get("", show, permission=PUBLIC)]) as client:
        response = await client.get(MOUNT)

        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        assert await response.json() == {"id": str(NOTE_ID), "title": "Ferns"}


async def test_result_none_is_204_without_a_body() -> None:
    """A handler that has nothing to say says nothing."""

    async def touch() -> None: ...

    async with serving([post("", touch, permission=PUBLIC, idempotency=Idempotency.NONE)]) as client:
        response = await client.post(MOUNT)

        assert (response.status, await response.read()) == (204, b"")
        assert "Content-Type" not in response.headers


async def test_status_is_the_routes() -> None:
    """A route that makes something answers 201."""
    route = post("", show, permission=PUBLIC, idempotency=Idempotency.NONE, status=201)
    async with serving([route]) as client:
        assert (await client.post(MOUNT)).status == 201


async def test_answer_adds_status_headers_and_cookies() -> None:
    """`Answer` says what a value alone can not; a cookie is always hidden from scripts and other sites."""

    async def start() -> Answer[Note]:
        cookie = Cookie("session", "s3cret", max_age=60, path="/api/v1/notes")
        return Answer(NOTE, status=202, headers={"Location": "/elsewhere"}, cookies=(cookie,))

    async with serving([post("", start, permission=PUBLIC, idempotency=Idempotency.NONE)]) as client:
        response = await client.post(MOUNT)

        assert (response.status, response.headers["Location"]) == (202, "/elsewhere")
        cookie = response.headers["Set-Cookie"]
        assert cookie.startswith("session=s3cret; ")
        assert {"HttpOnly", "Secure", "SameSite=Lax", "Max-Age=60", "Path=/api/v1/notes"} <= set(cookie.split("; "))


async def test_header_of_an_answer_replaces_the_routes() -> None:
    """It is said once, however it is spelt."""

    async def start() -> Answer[Note]:
        headers = {"cache-control": "public, max-age=60", "etag": '"v1"', "X-Kind": "leaf", "x-kind": "note"}
        return Answer(NOTE, headers=headers)

    async with serving([get("", start, permission=PUBLIC)]) as client:
        response = await client.get(MOUNT)

        assert response.headers.getall("Cache-Control") == ["public, max-age=60"]
        assert response.headers.getall("ETag") == ['"v1"']
        assert response.headers.getall("X-Kind") == ["note"]


@pytest.mark.parametrize("cookies", [(), (Cookie("session", "s3cret", max_age=60),)])
@pytest.mark.parametrize(
    "header",
    [
        ("Location", "/a\r\nX-Injected: yes"),
        ("X-A: 1\r\nX-Injected", "yes"),
        ("X-Half", "a\udc80"),
        ("content-length", "1"),
        ("x-request-id", "mine"),
    ],
)
async def test_header_that_can_not_be_sent_is_a_failure(header: tuple[str, str], cookies: tuple[Cookie, ...]) -> None:
    """What a handler puts into a header may come from a person; it can not write headers of its own."""

    async def start() -> Answer[Note]:
        return Answer(NOTE, headers=dict([header]), cookies=cookies)

    async with serving([get("", start, permission=PUBLIC)]) as client:
        response = await client.get(MOUNT)

        assert (response.status, (await response.json())["type"]) == (500, "/problems/internal")
        assert "X-Injected" not in response.headers


async def test_cookie_that_can_not_be_sent_is_a_failure() -> None:
    """Its path goes into a header as it stands."""

    async def start() -> Answer[Note]:
        return Answer(NOTE, cookies=(Cookie("session", "s3cret", max_age=60, path="/\r\nX-Injected: yes"),))

    async with serving([get("", start, permission=PUBLIC)]) as client:
        response = await client.get(MOUNT)

        assert (response.status, "X-Injected" in response.headers) == (500, False)


@pytest.mark.parametrize("status", [204, 304])
async def test_status_without_a_body_leaves_the_connection_in_order(status: int) -> None:
    """What a handler returns beside such a status is not sent: it would begin the next answer."""

    async def start() -> Answer[Note]:
        return Answer(NOTE, status=status)

    async with serving([get("", start, permission=PUBLIC)]) as client:
        for _ in range(2):
            response = await client.get(MOUNT)
            assert (response.status, await response.read()) == (status, b"")


async def test_encoded_passes_as_it_is() -> None:
    """What was encoded earlier is not decoded to be encoded again."""

    async def stored() -> Encoded[Note]:
        return Encoded(b'{"id":  "as stored"}')

    async with serving([get("", stored, permission=PUBLIC)]) as client:
        assert await (await client.get(MOUNT)).read() == b'{"id":  "as stored"}'


async def test_rendered_items_pass_as_they_are() -> None:
    """A page of stored cards is put together from their bytes."""

    async def cards(query: PageQuery) -> Page[Annotated[msgspec.Raw, Renders(Note)]]:
        return page([msgspec.Raw(b'{"a":  1}'), msgspec.Raw(b'{"b":2}')], query, lambda card: None)

    async with serving([get("", cards, permission=PUBLIC)]) as client:
        assert await (await client.get(MOUNT)).read() == b'{"items":[{"a":  1},{"b":2}],"next":null}'


async def test_page_links_to_the_next_until_the_last() -> None:
    """Following the `Link` header reads every item once, with the same filters."""
    async with serving([get("", listed, permission=PUBLIC)]) as client:
        found, following = [], f"{MOUNT}?limit=2"
        while following:
            response = await client.get(following)
            found.append((await response.json())["items"])
            following = str(response.links["next"]["url"]) if response.links else ""

    assert found == [[1, 2], [3, 4], [5]]


async def test_page_that_is_shared_links_to_the_next_with_its_filters() -> None:
    """It says the same as a page that is made for one."""

    async def shared(query: Named) -> Answer[Encoded[Page[Note]]]:
        return shared_page(page([b'{"a":  1}', b"{}"], query, lambda card: "k"), query)

    async with serving([get("", shared, permission=PUBLIC)]) as client:
        response = await client.get(MOUNT, params={"limit": "1", "name": "a&b"})

        assert await response.read() == b'{"items":[{"a":  1}],"next":"Imsi"}'
        assert URL(str(response.links["next"]["url"])).query == {"limit": "1", "name": "a&b", "cursor": "Imsi"}
        assert response.headers["ETag"] == etag_of(await response.read())


async def test_page_of_a_foreign_cursor_is_400() -> None:
    """A cursor that no list made is refused."""
    async with serving([get("", listed, permission=PUBLIC)]) as client:
        response = await client.get(f"{MOUNT}?cursor=nonsense!")

        assert response.status == 400
        assert (await response.json(content_type=None))["type"] == "/problems/invalid-cursor"


async def test_head_answers_as_get_without_a_body() -> None:
    """HEAD tells length and tag of what GET would send."""
    async with serving([get("", show, permission=PUBLIC)]) as client:
        whole, head = await client.get(MOUNT), await client.head(MOUNT)

        assert (head.status, await head.read()) == (200, b"")
        for name in ("Content-Length", "ETag", "Content-Type"):
            assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize("form", ["{}", 'W/{}, "other"', '"other", {}', "*"])
async def test_etag_that_is_known_gets_304(form: str) -> None:
    """A client that has the present state is told so, and sent nothing."""
    async with serving([get("", show, permission=PUBLIC)]) as client:
        etag = (await client.get(MOUNT)).headers["ETag"]
        response = await client.get(MOUNT, headers={"If-None-Match": form.format(etag)})

        assert (response.status, await response.read()) == (304, b"")
        assert response.headers["ETag"] == etag


async def test_etag_that_is_old_gets_the_whole() -> None:
    """Another tag is no reason to withhold the body."""
    async with serving([get("", show, permission=PUBLIC)]) as client:
        response = await client.get(MOUNT, headers={"If-None-Match": '"old"'})

        assert response.status == 200


async def test_etag_of_the_handler_wins() -> None:
    """A handler that knows a version gives it as the tag."""

    async def versioned() -> Answer[Note]:
        return Answer(NOTE, headers={"ETag": '"v7"'})

    async with serving([get("", versioned, permission=PUBLIC)]) as client:
        assert (await client.get(MOUNT)).headers["ETag"] == '"v7"'
        assert (await client.get(MOUNT, headers={"If-None-Match": '"v7"'})).status == 304


async def test_if_match_refuses_a_change_of_what_was_not_seen() -> None:
    """`require_match` lets pass who has the present state or does not ask, and stops who has an older one."""

    async def change(request: Request) -> None:
        require_match(request.http, etag_of(b"present"))

    present = etag_of(b"present")
    async with serving([put("", change, permission=PUBLIC, idempotency=Idempotency.NONE)]) as client:
        assert (await client.put(MOUNT)).status == 204
        assert (await client.put(MOUNT, headers={"If-Match": present})).status == 204
        refused = await client.put(MOUNT, headers={"If-Match": '"older"'})
        assert (refused.status, refused.headers["ETag"]) == (412, present)


async def test_download_streams_with_our_headers() -> None:
    """A response that the handler sends by itself bears the request's id and the security headers too."""

    async def export(request: Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/csv", "Content-Disposition": "attachment"})
        await response.prepare(request.http)
        async for line in _lines():
            await response.write(line)
        return response

    async def by_name(name: str) -> str:
        return name

    routes = [get("/{name}", by_name, permission=PUBLIC), get("/export", export, permission=PUBLIC)]
    async with serving(routes) as client:
        response = await client.get(f"{MOUNT}/export")

        assert await response.read() == b"a,b\n" * 1000
        assert response.headers["Content-Type"] == "text/csv"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert UUID(response.headers["X-Request-ID"])


async def test_handler_may_answer_by_a_value_or_by_a_response() -> None:
    """What the caller accepts decides; a value is encoded and tagged as ever, a response is sent as it is."""

    async def export(request: Request) -> Note | web.StreamResponse:
        if "text/csv" in request.http.headers["Accept"]:
            return web.Response(text="a,b", content_type="text/csv")
        return NOTE

    async with serving([get("", export, permission=PUBLIC)]) as client:
        value = await client.get(MOUNT, headers={"Accept": "application/json"})
        table = await client.get(MOUNT, headers={"Accept": "text/csv"})

        assert (await value.json(), "ETag" in value.headers) == (msgspec.to_builtins(NOTE), True)
        assert (await table.text(), "ETag" in table.headers) == ("a,b", False)


async def _lines() -> AsyncIterator[bytes]:
    for _ in range(1000):
        yield b"a,b\n"


async def test_answers_of_the_api_bear_security_headers() -> None:
    """Whatever the API says can not be sniffed, framed or made to load anything, and is not kept by shared caches."""
    async with serving([get("", show, permission=PUBLIC)]) as client:
        for path in (MOUNT, f"{MOUNT}/none", "/nowhere"):
            headers = (await client.get(path)).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert headers["Cache-Control"] in ("private, no-cache", "no-store")
            assert headers["Server"] == "Lyceum"
            assert headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"
