"""Answers: how the result of a handler becomes a response.

A handler returns a value and the kernel encodes it. `Answer` adds a status, headers and cookies to a value;
`Encoded` holds JSON that was encoded earlier, so that a stored card is not decoded to be encoded again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Generic, TypeVar, get_args, get_origin
from urllib.parse import quote

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from kernel.http import problems
from kernel.http.pages import Page, PageQuery
from kernel.http.whole import Head, WholeResponse, refuse_unsendable

T = TypeVar("T")

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Cookie:
    """A cookie to set; a *max_age* of 0 deletes it. `HttpOnly` and `SameSite` are always set."""

    name: str
    value: str
    max_age: int  #: seconds
    path: str = "/"
    secure: bool = True
    samesite: str = "Lax"


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """*value* with more than its encoding.

    *headers* replace the route's own. One that can not be written, or that the server itself writes (`Connection`,
    `Content-Length`, `Date`, `Transfer-Encoding`, `X-Request-ID`), fails the request, and its change is rolled back.
    """

    value: T
    status: int | None = None  #: the route's own when None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()


@dataclass(frozen=True, slots=True)
class Encoded(Generic[T]):
    """A *T* that is JSON already."""

    body: bytes


@dataclass(frozen=True)
class Renders:
    """Says in an annotation what a `msgspec.Raw` holds: `Annotated[msgspec.Raw, Renders(CourseCard)]`."""

    type: Any


@dataclass(slots=True)
class Reply:
    """A response in the making: what is stored for an idempotency key, and what is sent."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    cookies: tuple[Cookie, ...] = ()


NO_HEADERS: Final[Mapping[str, str]] = {}

#: Makes the reply of a handler's result; the integer is the route's status.
Encode = Callable[[Any, int, web.Request], Reply]


def json_reply(value: object, status: int, http: web.Request) -> Reply:
    """Return *value* encoded."""
    return Reply(status, _encode(value), NO_HEADERS)


def shared_page(found: Page[bytes], query: PageQuery) -> Answer[Encoded[Page[Any]]]:
    """Return the answer with the page *found* for *query*, made once for all who are given it.

    Its items are JSON already.
    """
    body = b'{"items":[%b],"next":%b}' % (b",".join(found.items), _encode(found.next))
    headers = {"ETag": etag_of(body)}
    if found.next is not None:
        asked = {**msgspec.to_builtins(query), "cursor": None}
        filters = "".join(f"{name}={quote(str(value))}&" for name, value in asked.items() if value is not None)
        headers["Link"] = f'<?{filters}cursor={found.next}>; rel="next"'
    return Answer(Encoded(body), headers=headers)


def page_reply(value: Page[object], status: int, http: web.Request) -> Reply:
    """Return a page, with a link to the next one."""
    if value.next is None:
        return Reply(status, _encode(value), NO_HEADERS)
    following = http.rel_url.update_query(cursor=value.next)
    return Reply(status, _encode(value), {"Link": f'<{following}>; rel="next"'})


def empty_reply(value: None, status: int, http: web.Request) -> Reply:
    """Return the answer of a handler that returns None."""
    return Reply(204 if status == 200 else status, b"", NO_HEADERS)


def encoded_reply(value: Encoded[object], status: int, http: web.Request) -> Reply:
    """Return what was encoded before."""
    return Reply(status, value.body, NO_HEADERS)


def encoder_of(annotation: Any) -> Encode:
    """Return what encodes the results of a handler that is annotated so."""
    origin = get_origin(annotation) or annotation
    if origin is Answer:
        return _answer_encoder(encoder_of(get_args(annotation)[0]))
    if annotation in (None, type(None)):
        return empty_reply
    return page_reply if origin is Page else encoded_reply if origin is Encoded else json_reply


def _answer_encoder(inner: Encode) -> Encode:
    def answer_reply(value: Answer[object], status: int, http: web.Request) -> Reply:
        _refuse_unsendable(value)  # here, where a change can still be rolled back
        reply = inner(value.value, status if value.status is None else value.status, http)
        headers = CIMultiDict(reply.headers)
        for name, said in value.headers.items():
            headers[name] = said
        return Reply(reply.status, reply.body, headers, value.cookies)

    return answer_reply


def _refuse_unsendable(answer: Answer[object]) -> None:
    if answer.headers:
        refuse_unsendable(answer.headers)
    for cookie in answer.cookies:
        refuse_unsendable({cookie.name: cookie.value + cookie.path})


def shape(annotation: Any) -> Any:
    """Return the type that *annotation* looks like from outside, for the documentation."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return next((extra.type for extra in arguments[1:] if isinstance(extra, Renders)), annotation)
    if origin in (Answer, Encoded):
        return shape(arguments[0])
    if origin is Page or origin in (list, tuple):
        return origin[tuple(argument if argument is Ellipsis else shape(argument) for argument in arguments)]
    return annotation


def etag_of(body: bytes) -> str:
    """Return the entity tag of *body*, the same in every process."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def matches(header: str, etag: str) -> bool:
    """Return whether *etag* is among the tags of an `If-Match` or `If-None-Match` *header* (weak comparison)."""
    if header.strip() == "*":
        return True
    wanted = etag.removeprefix("W/")
    return any(tag.strip().removeprefix("W/") == wanted for tag in header.split(","))


def require_match(http: web.Request, etag: str) -> None:
    """Refuse a change of what the caller has not seen: *etag* is the present state's tag.

    A request without `If-Match` passes.

    Raises:
        problems.PreconditionFailed: the header names other tags.
    """
    header = http.headers.get("If-Match")
    if header is not None and not matches(header, etag):
        raise problems.PreconditionFailed("Read it again and repeat the change.", headers={"ETag": etag})


def response_of(reply: Reply, head: Head, http: web.Request) -> web.StreamResponse:
    """Return the response to *http*; *head* is the route's own, to which the reply adds or which it overrules."""
    lines = head.continued(reply.headers)
    if lines is not None and reply.body and not reply.cookies and WholeResponse.suits(http, reply.status):
        return WholeResponse(lines, reply.body, reply.status)
    headers = head.headers.copy()
    if not reply.body:
        del headers["Content-Type"]
    headers.update(reply.headers)
    response = web.Response(body=reply.body or None, status=reply.status, headers=headers)
    for cookie in reply.cookies:
        response.set_cookie(
            cookie.name,
            cookie.value,
            max_age=cookie.max_age,
            path=cookie.path,
            secure=cookie.secure,
            samesite=cookie.samesite,
            httponly=True,
        )
    return response
