"""Routes that can not be served are refused at boot, with one readable reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import pytest
from aiohttp import web

from kernel import (
    PUBLIC,
    SIGNED_IN,
    Answer,
    Begin,
    Encoded,
    Idempotency,
    RateLimit,
    Request,
    Route,
    errors,
    get,
    post,
    put,
)
from kernel.database import Session
from kernel.http.application import Mounted, _operations
from kernel.http.signatures import read_signature
from tests.kernel.http.serving import unused_database


class Loose(msgspec.Struct):
    title: str


class Around(msgspec.Struct, forbid_unknown_fields=True):
    parts: list[Loose]


class Timeless(msgspec.Struct, forbid_unknown_fields=True):
    starts_at: datetime | None


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    title: str


# None of these is ever called, so none has a body.
# mypy: disable-error-code="empty-body"


async def plain() -> str: ...
async def unknown(note: str) -> str: ...
async def without_annotation(note_id) -> str: ...  # type: ignore[no-untyped-def]
async def without_result(): ...  # type: ignore[no-untyped-def]
async def loose(body: Loose) -> None: ...
async def loose_inside(body: Around) -> None: ...
async def loose_query(query: Loose) -> None: ...
async def timeless(body: Timeless) -> None: ...
async def plain_query(query: dict[str, str]) -> None: ...
async def strange_path(note_id: float) -> None: ...
async def with_body(body: Strict) -> None: ...
async def with_both(session: Session, begin: Begin) -> None: ...
async def with_session(session: Session) -> None: ...
async def with_response(session: Session) -> web.Response: ...
async def mixed() -> Strict | Answer[Strict]: ...
async def mixed_inside() -> Answer[Strict | Encoded[Strict]]: ...
async def unreadable(body: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
async def whole(request: Request, body: Strict, query: Strict, session: Session, note_id: UUID, n: int) -> Strict: ...


REFUSED: Final[list[tuple[Route, str]]] = [
    (
        get("/x", unknown, permission=PUBLIC),
        (
            "notes: routes(): GET /x: unknown takes 'note'; "
            "it may take begin, body, query, request, session; or add {note} to the path"
        ),
    ),
    (
        get("/{note_id}", plain, permission=PUBLIC),
        "notes: routes(): GET /{note_id}: plain does not take the path's 'note_id'; add the parameter 'note_id' to it",
    ),
    (
        get("/{note_id}", without_annotation, permission=PUBLIC),
        "notes: routes(): GET /{note_id}: without_annotation has no annotation for 'note_id'; annotate it",
    ),
    (
        get("", without_result, permission=PUBLIC),
        "notes: routes(): GET /: without_result has no return annotation; annotate what it returns, or None",
    ),
    *(
        (
            get("", handler, permission=PUBLIC),
            (
                f"notes: routes(): GET /: {handler.__name__} returns what is sent in different ways; "
                "return an Answer, a Page or an Encoded in every case"
            ),
        )
        for handler in (mixed, mixed_inside)
    ),
    (
        get("", unreadable, permission=PUBLIC),
        (
            "notes: routes(): GET /: unreadable has an annotation that can not be read "
            "(name 'Nowhere' is not defined); import its names"
        ),
    ),
    (
        put("", loose, permission=PUBLIC, idempotency=Idempotency.NONE),
        "notes: routes(): PUT /: loose takes Loose in its body; give Loose forbid_unknown_fields=True",
    ),
    (
        put("", loose_inside, permission=PUBLIC, idempotency=Idempotency.NONE),
        "notes: routes(): PUT /: loose_inside takes Loose in its body; give Loose forbid_unknown_fields=True",
    ),
    (
        put("", timeless, permission=PUBLIC, idempotency=Idempotency.NONE),
        (
            "notes: routes(): PUT /: timeless takes a datetime that may lack its time zone in its body; "
            "annotate it with msgspec.Meta(tz=True)"
        ),
    ),
    (
        get("", loose_query, permission=PUBLIC),
        "notes: routes(): GET /: loose_query takes Loose in its query; give Loose forbid_unknown_fields=True",
    ),
    (
        get("", plain_query, permission=PUBLIC),
        "notes: routes(): GET /: plain_query takes the query as dict[str, str]; make it a msgspec.Struct",
    ),
    (
        get("/{note_id}", strange_path, permission=PUBLIC),
        (
            "notes: routes(): GET /{note_id}: strange_path takes 'note_id' as <class 'float'>; "
            "a placeholder is a str, an int or a UUID"
        ),
    ),
    (
        get("", with_body, permission=PUBLIC),
        "notes: routes(): GET /: with_body takes a body; a GET has none; use the query",
    ),
    (
        get("", plain, permission=""),
        "notes: routes(): GET /: plain has no permission; name one, or PUBLIC or SIGNED_IN",
    ),
    (
        get("x", plain, permission=PUBLIC),
        "notes: routes(): GET x: plain has the path 'x'; begin it with '/' and end it without; '' is the mount",
    ),
    (
        get("/x/", plain, permission=PUBLIC),
        "notes: routes(): GET /x/: plain has the path '/x/'; begin it with '/' and end it without; '' is the mount",
    ),
    (
        get("", plain, permission=PUBLIC, rate_limits=(RateLimit("often"),)),
        "notes: routes(): GET /: plain has the rate limit 'often'; write it like '5/hour'",
    ),
    (
        get("", plain, permission=PUBLIC, rate_limits=(RateLimit("5/hour", member="code"),)),
        "notes: routes(): GET /: plain limits requests with 'code'; name a field of its body, a Struct",
    ),
    (
        post("", plain, permission=PUBLIC),
        (
            "notes: routes(): POST /: plain keeps idempotency keys (OPTIONAL) but takes neither 'session' nor 'begin'; "
            "take 'session' or 'begin' and write with it, or choose Idempotency.NONE or Idempotency.HANDLER"
        ),
    ),
    (
        post("", with_both, permission=PUBLIC),
        (
            "notes: routes(): POST /: with_both takes both 'session' and 'begin'; "
            "a request has one transaction; take one of them"
        ),
    ),
    (
        get("", with_session, permission=PUBLIC, idempotency=Idempotency.OPTIONAL),
        "notes: routes(): GET /: with_session keeps idempotency keys; a GET needs none; use Idempotency.NONE",
    ),
    (
        post("", with_response, permission=PUBLIC),
        (
            "notes: routes(): POST /: with_response keeps idempotency keys but returns a response; "
            "return a value or an Answer"
        ),
    ),
    (
        post("", with_session, permission=PUBLIC, idempotency=Idempotency.REQUIRED),
        (
            "notes: routes(): POST /: with_session requires an idempotency key of strangers; "
            "a key belongs to a person; use SIGNED_IN"
        ),
    ),
]


@pytest.mark.parametrize(("route", "message"), REFUSED, ids=[message.split(": ", 3)[3][:40] for _, message in REFUSED])
def test_route_that_can_not_be_served_is_refused(route: Route, message: str) -> None:
    """The message names the plugin, the route, what is wrong and what would be right."""
    with pytest.raises(errors.InvalidDeclaration) as refused:
        read_signature("notes", route)

    assert str(refused.value) == message
    assert refused.value.plugin == "notes"


def test_route_that_is_declared_twice_is_refused() -> None:
    """Of two routes with one method and path aiohttp would silently serve the first."""
    routes = (get("/x", plain, permission=PUBLIC), get("/x", plain, permission=SIGNED_IN))
    plugin = Mounted(plugin="notes", mount="notes", routes=routes, db=unused_database())

    with pytest.raises(errors.InvalidDeclaration, match=r"notes: routes\(\): GET /x is declared twice; remove one"):
        _operations(plugin)


def test_path_with_two_names_for_one_placeholder_is_refused() -> None:
    """One path is one resource, whatever its placeholders are called."""
    routes = (get("/{a}", plain, permission=PUBLIC), put("/{b}", plain, permission=PUBLIC))
    plugin = Mounted(plugin="notes", mount="notes", routes=routes, db=unused_database())

    message = r"notes: routes\(\): PUT /{b} and /{a} are one path; give its placeholders the same names"
    with pytest.raises(errors.InvalidDeclaration, match=message):
        _operations(plugin)


def test_signature_tells_what_the_handler_takes() -> None:
    """Every parameter is found by its name and annotation."""
    signature = read_signature("notes", put("/{note_id}/{n}", whole, permission=PUBLIC))

    assert (signature.request, signature.session, signature.body, signature.query) == (True, True, Strict, Strict)
    assert signature.path == (("note_id", UUID), ("n", int))
    assert signature.result is Strict


def test_signature_of_a_method_is_read_without_self() -> None:
    """Handlers are methods of small classes."""

    class Api:
        async def show(self, note_id: UUID) -> Strict: ...

    handler: Callable[..., Awaitable[Any]] = Api().show
    assert read_signature("notes", get("/{note_id}", handler, permission=PUBLIC)).path == (("note_id", UUID),)
