"""What comes in: path, query and body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import aiohttp
import msgspec
import pytest
from yarl import URL

from kernel import PUBLIC, Idempotency, Route, get, new_id, post
from kernel.http.settings import HttpSettings
from tests.kernel.http.serving import MOUNT, serving

JSON = {"Content-Type": "application/json"}


class Section(msgspec.Struct, forbid_unknown_fields=True):
    title: Annotated[str, msgspec.Meta(min_length=1)]
    minutes: int = 0


class Draft(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    sections: list[Section] = []
    extra: object = None


class Filter(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    word: str | None = None
    score: float = 0.0
    before: int | None = None
    tag: list[str] = []


class Handlers:
    """Remembers what reached it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def write(self, body: Draft) -> Draft:
        self.seen.append(body)
        return body

    async def find(self, query: Filter) -> Filter:
        self.seen.append(query)
        return query

    async def by_id(self, note_id: UUID) -> str:
        self.seen.append(note_id)
        return "by id"

    async def by_number(self, number: int) -> int:
        self.seen.append(number)
        return number

    async def by_name(self, name: str) -> str:
        self.seen.append(name)
        return name

    async def mine(self) -> str:
        return "mine"

    def routes(self) -> list[Route]:
        return [
            post("", self.write, permission=PUBLIC, idempotency=Idempotency.NONE, body_limit=1000),
            get("", self.find, permission=PUBLIC),
            get("/{note_id}", self.by_id, permission=PUBLIC),
            get("/mine", self.mine, permission=PUBLIC),
            get("/numbers/{number}", self.by_number, permission=PUBLIC),
            get("/names/{name}", self.by_name, permission=PUBLIC),
        ]


async def refusal(response: aiohttp.ClientResponse) -> tuple[int, str, list[tuple[str, str]]]:
    """Return status, type and field errors of a problem."""
    assert response.content_type == "application/problem+json"
    problem = await response.json(content_type=None)
    fields = [(error["field"], error["message"]) for error in problem.get("errors", ())]
    return response.status, problem["type"].removeprefix("/problems/"), fields


async def test_body_reaches_the_handler_as_its_type() -> None:
    """JSON of the declared form becomes the declared Struct."""
    handlers = Handlers()
    async with serving(handlers.routes()) as client:
        response = await client.post(MOUNT, json={"title": "Ferns", "sections": [{"title": "Spores"}]})

        assert response.status == 200
    assert handlers.seen == [Draft("Ferns", [Section("Spores")])]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"title": 1}, "body.title", "Expected `str`, got `int`"),
        ({"title": None}, "body.title", "Expected `str`, got `null`"),
        ({}, "body.title", "is required"),
        ({"title": "a", "role": "admin"}, "body.role", "is unknown"),
        ({"title": "a", "sections": [{"title": "b"}, {"title": 2}]}, "body.sections[1].title", "Expected `str`"),
        ({"title": "a", "sections": [{"titel": "b"}]}, "body.sections[0].titel", "is unknown"),
        ({"title": "a", "sections": [{"title": ""}]}, "body.sections[0].title", "length >= 1"),
        ([], "body", "Expected `object`, got `array`"),
        ({"title": "a\0b"}, "body.title", "contains a NUL character"),
        ({"title": "a", "extra": {"x\0": 1}}, "body.extra", "contains a NUL character"),
        ({"title": "a", "sections": [{"title": "b", "minutes": 2**63}]}, "body.sections[0].minutes", "64 bits"),
        ({"title": "a", "sections": [{"title": "b", "minutes": -(2**63) - 1}]}, "body.sections[0].minutes", "64 bits"),
    ],
)
async def test_body_with_a_wrong_field_is_422_and_names_it(body: object, field: str, message: str) -> None:
    """Every wrong field is told by its path; nothing reaches the handler."""
    handlers = Handlers()
    async with serving(handlers.routes()) as client:
        status, kind, fields = await refusal(await client.post(MOUNT, json=body))

    assert (status, kind, fields[0][0]) == (422, "invalid", field)
    assert message in fields[0][1]
    assert handlers.seen == []


async def test_body_may_write_a_whole_number_with_a_point() -> None:
    """JSON has one kind of number: 45.0 is 45, but 45.5 is no integer."""
    handlers = Handlers()
    async with serving(handlers.routes()) as client:
        whole = b'{"title": "a", "sections": [{"title": "b", "minutes": 45.0}]}'
        assert (await client.post(MOUNT, data=whole, headers=JSON)).status == 200
        half = await client.post(MOUNT, data=whole.replace(b"45.0", b"45.5"), headers=JSON)
        assert (await refusal(half))[2] == [("body.sections[0].minutes", "Expected `int`, got `float`")]
    assert handlers.seen[0].sections[0].minutes == 45


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nothing",
        b'{"title": "a"} x',
        b'{"title": NaN}',
        b'{"title": "\xff"}',
        b'{"title": "\xed\xa0\x80"}',
        b'{"title": "\\ud800"}',
        b"\xef\xbb\xbf{}",
    ],
)
async def test_body_that_is_not_json_is_400(raw: bytes) -> None:
    """What can not be read at all is told apart from what is wrong."""
    async with serving(Handlers().routes()) as client:
        status, kind, _ = await refusal(await client.post(MOUNT, data=raw, headers=JSON))

    assert (status, kind) == (400, "bad-request")


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
async def test_body_nested_too_deeply_is_400(opening: bytes) -> None:
    """Ten thousand brackets do not exhaust the stack."""
    routes = [post("", Handlers().write, permission=PUBLIC, idempotency=Idempotency.NONE)]
    async with serving(routes) as client:
        raw = b'{"title": "a", "extra": ' + opening * 10_000
        status, kind, _ = await refusal(await client.post(MOUNT, data=raw, headers=JSON))

    assert (status, kind) == (400, "bad-request")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_body_of_another_media_type_is_415(headers: dict[str, str]) -> None:
    """Only plain JSON in UTF-8 is read: no form of another site, nothing that unpacks to more than was sent."""
    async with serving(Handlers().routes()) as client:
        status, kind, _ = await refusal(await client.post(MOUNT, data=b'{"title": "a"}', headers=headers))

    assert (status, kind) == (415, "unsupported-media-type")


async def test_body_may_say_its_charset() -> None:
    """`application/json; charset=utf-8` is what many clients send."""
    async with serving(Handlers().routes()) as client:
        headers = {"Content-Type": "application/json; charset=UTF-8"}
        response = await client.post(MOUNT, data=b'{"title": "a"}', headers=headers)

        assert response.status == 200


async def test_body_over_the_limit_is_413_by_its_length() -> None:
    """A body that says it is too large is not read."""
    async with serving(Handlers().routes()) as client:
        body = {"title": "a" * 1000}
        status, kind, _ = await refusal(await client.post(MOUNT, json=body))

    assert (status, kind) == (413, "too-large")


async def test_body_over_the_limit_is_413_when_it_comes_in_chunks() -> None:
    """A body that does not say its length is counted while it is read, and not read to its end."""
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100_000):
            sent += 1
            yield b" " * 1000

    async with serving(Handlers().routes(), settings=HttpSettings(lingering_seconds=0.1)) as client:
        try:
            response = await client.post(MOUNT, data=chunks(), headers=JSON)
            assert (await refusal(response))[:2] == (413, "too-large")
        except aiohttp.ClientConnectionError:
            pass  # the server hung up on a client that went on sending

    assert sent < 100_000


async def test_body_of_exactly_the_limit_passes() -> None:
    """The limit itself is allowed."""
    async with serving(Handlers().routes()) as client:
        raw = b'{"title": "a"}'.ljust(1000)
        response = await client.post(MOUNT, data=raw, headers=JSON)

        assert response.status == 200


async def test_body_that_drips_is_408() -> None:
    """A client that sends its body too slowly is told so and let go."""

    async def drip() -> AsyncIterator[bytes]:
        yield b'{"title":'
        await asyncio.sleep(30)

    settings = HttpSettings(body_seconds=0.2, lingering_seconds=0.1)
    async with serving(Handlers().routes(), settings=settings) as client:
        status, kind, _ = await refusal(await client.post(MOUNT, data=drip(), headers=JSON))

    assert (status, kind) == (408, "body-timeout")


async def test_query_is_converted() -> None:
    """Numbers come as numbers, a list's field as often as it is given."""
    handlers = Handlers()
    async with serving(handlers.routes()) as client:
        response = await client.get(f"{MOUNT}?limit=5&word=fern%20%26%20moss&tag=a&tag=b")

        assert response.status == 200
    assert handlers.seen == [Filter(5, "fern & moss", 0.0, None, ["a", "b"])]


async def test_query_may_be_absent() -> None:
    """Without a query string every field has its default."""
    handlers = Handlers()
    async with serving(handlers.routes()) as client:
        assert (await client.get(MOUNT)).status == 200
    assert handlers.seen == [Filter()]


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("limit=0", "query.limit", ">= 1"),
        ("limit=101", "query.limit", "<= 100"),
        ("limit=many", "query.limit", "Expected `int`"),
        ("limit=99999999999999999999", "query.limit", "<= 100"),
        ("limit=1&limit=2", "query.limit", "more than once"),
        ("colour=red", "query.colour", "is unknown"),
        ("word=a%00b", "query.word", "NUL"),
        ("score=nan", "query.score", "not a finite number"),
        ("score=inf", "query.score", "not a finite number"),
        ("score=1e999", "query.score", "out of range"),
        ("before=null", "query.before", "is null; leave it out"),
    ],
)
async def test_query_with_a_wrong_parameter_is_422_and_names_it(query: str, field: str, message: str) -> None:
    """Unknown, repeated and unreadable parameters are refused by name."""
    async with serving(Handlers().routes()) as client:
        status, kind, fields = await refusal(await client.get(f"{MOUNT}?{query}"))

    assert (status, kind, fields[0][0]) == (422, "invalid", field)
    assert message in fields[0][1]


async def test_query_of_a_route_that_has_none_is_422() -> None:
    """Where no parameter is declared every parameter is unknown."""
    async with serving(Handlers().routes()) as client:
        status, kind, fields = await refusal(await client.get(f"{MOUNT}/mine?debug=1"))

    assert (status, kind, fields) == (422, "invalid", [("query.debug", "is unknown")])


@pytest.mark.parametrize("query", ["word=%FF%FE", "word=%ed%a0%80", "word=%", "word=%zz", "word=%F0%9F%8C%BF"])
async def test_query_of_odd_escapes_is_never_a_500(query: str) -> None:
    """Whatever the percent signs say, the handler gets text that can be stored."""
    handlers = Handlers()
    async with serving(handlers.routes()) as client:
        response = await client.get(URL(f"{MOUNT}?{query}", encoded=True))

        assert response.status in (200, 400, 422)
    for seen in handlers.seen:
        seen.word.encode()


async def test_path_values_are_converted() -> None:
    """A placeholder arrives as the type that the handler's parameter has."""
    handlers, note_id = Handlers(), new_id()
    async with serving(handlers.routes()) as client:
        await client.get(f"{MOUNT}/{note_id}")
        await client.get(f"{MOUNT}/numbers/-12")
        await client.get(f"{MOUNT}/names/Bl%C3%BCte")

    assert handlers.seen == [note_id, -12, "Blüte"]


@pytest.mark.parametrize(
    "path",
    [
        "/zz",
        "/00000000-0000-0000-0000-00000000000g",
        "/numbers/x",
        "/numbers/1.0",
        "/numbers/99999999999999999999",
        "/names/a%00b",
    ],
)
async def test_path_value_of_the_wrong_form_names_nothing(path: str) -> None:
    """A malformed id and an unknown one answer alike: 404."""
    handlers = Handlers()
    async with serving(handlers.routes()) as client:
        status, kind, _ = await refusal(await client.get(f"{MOUNT}{path}"))

    assert (status, kind) == (404, "not-found")
    assert handlers.seen == []


async def test_path_literal_wins_over_a_placeholder() -> None:
    """`/mine` is not taken for an id, whichever was declared first."""
    async with serving(Handlers().routes()) as client:
        response = await client.get(f"{MOUNT}/mine")

        assert await response.json() == "mine"


async def test_query_that_can_be_changed_is_given_to_one_handler_only() -> None:
    """What a handler does to its query reaches no later request with the same one."""
    handlers = Handlers()
    async with serving(handlers.routes()) as client:
        await client.get(f"{MOUNT}?tag=moss")
        handlers.seen[0].tag.append("fern")
        await client.get(f"{MOUNT}?tag=moss")

    assert handlers.seen == [Filter(tag=["moss", "fern"]), Filter(tag=["moss"])]
