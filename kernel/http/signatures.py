"""Signatures: what a route's handler takes and returns, read once at boot and refused there when it is wrong."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from aiohttp import web

from kernel import errors
from kernel.http.answers import Answer, Encode, Encoded, encoder_of
from kernel.http.limits import parse_rate
from kernel.http.pages import Page
from kernel.http.routes import PUBLIC, Idempotency, Route

SPECIAL: Final = ("begin", "body", "query", "request", "session")
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LISTS: Final = (list, tuple, set, frozenset)
_PLACEHOLDER: Final = re.compile(r"{(\w+)(?::[^}]*)?}")


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What the kernel gives to a handler, and what it gets."""

    request: bool
    session: bool
    begin: bool  #: whether the handler opens its transaction itself
    body: Any | None  #: a type
    query: type[msgspec.Struct] | None
    path: tuple[tuple[str, type], ...]
    result: Any  #: the return annotation, without the response that it may be instead
    encode: Encode | None  #: None where the handler always returns a response itself
    responds: bool  #: whether it may


def read_signature(plugin: str, route: Route) -> Signature:
    """Return the signature of *route*'s handler.

    Raises:
        errors.InvalidDeclaration: the route can not be served; the message names what to change.
    """
    return _Reader(plugin, route).read()


class _Reader:
    def __init__(self, plugin: str, route: Route) -> None:
        self._plugin = plugin
        self._route = route
        self._place = f"routes(): {route.method} {route.path or '/'}"

    def read(self) -> Signature:
        self._check_route()
        hints = self._hints()
        parameters = self._parameters(hints)
        result = hints.get("return", inspect.Parameter.empty)
        if result is inspect.Parameter.empty:
            raise self._wrong("has no return annotation", "annotate what it returns, or None")
        value, responds = _without_response(result)
        if _is_mixed(value):
            remedy = "return an Answer, a Page or an Encoded in every case"
            raise self._wrong("returns what is sent in different ways", remedy)
        if "session" in parameters and "begin" in parameters:
            raise self._wrong("takes both 'session' and 'begin'", "a request has one transaction; take one of them")
        self._check_idempotency("session" in parameters or "begin" in parameters, responds)
        self._check_members(parameters.get("body"))
        return Signature(
            request="request" in parameters,
            session="session" in parameters,
            begin="begin" in parameters,
            body=self._body(parameters),
            query=self._query(parameters),
            path=self._path(parameters),
            result=value,
            encode=None if _is_response(value) else encoder_of(value),
            responds=responds,
        )

    def _check_route(self) -> None:
        route = self._route
        if not route.permission:
            raise self._wrong("has no permission", "name one, or PUBLIC or SIGNED_IN")
        if route.path and (not route.path.startswith("/") or route.path.endswith("/")):
            raise self._wrong(f"has the path {route.path!r}", "begin it with '/' and end it without; '' is the mount")
        for limit in route.rate_limits:
            try:
                parse_rate(limit.rate)
            except ValueError:
                raise self._wrong(f"has the rate limit {limit.rate!r}", "write it like '5/hour'") from None

    def _hints(self) -> dict[str, Any]:
        try:
            return get_type_hints(self._route.handler, include_extras=True)
        except (NameError, TypeError) as error:
            raise self._wrong(f"has an annotation that can not be read ({error})", "import its names") from error

    def _parameters(self, hints: dict[str, Any]) -> dict[str, Any]:
        names = inspect.signature(self._route.handler).parameters
        placeholders = _PLACEHOLDER.findall(self._route.path)
        for name in names:
            if name not in SPECIAL and name not in placeholders:
                known = ", ".join((*SPECIAL, *placeholders))
                raise self._wrong(f"takes {name!r}", f"it may take {known}; or add {{{name}}} to the path")
            if name not in hints:
                raise self._wrong(f"has no annotation for {name!r}", "annotate it")
        for name in placeholders:
            if name not in names:
                raise self._wrong(f"does not take the path's {name!r}", f"add the parameter {name!r} to it")
        return {name: hints[name] for name in names}

    def _body(self, parameters: dict[str, Any]) -> Any | None:
        body = parameters.get("body")
        if body is None:
            return None
        if self._route.method in SAFE_METHODS:
            raise self._wrong("takes a body", f"a {self._route.method} has none; use the query")
        self._check_strict("body", body)
        return body

    def _query(self, parameters: dict[str, Any]) -> type[msgspec.Struct] | None:
        query = parameters.get("query")
        if query is None:
            return None
        if not (isinstance(query, type) and issubclass(query, msgspec.Struct)):
            raise self._wrong(f"takes the query as {query!r}", "make it a msgspec.Struct")
        self._check_strict("query", query)
        return query

    def _path(self, parameters: dict[str, Any]) -> tuple[tuple[str, type], ...]:
        found = tuple((name, kind) for name, kind in parameters.items() if name not in SPECIAL)
        for name, kind in found:
            if kind not in (str, int, UUID):
                raise self._wrong(f"takes {name!r} as {kind!r}", "a placeholder is a str, an int or a UUID")
        return found

    def _check_strict(self, where: str, kind: Any) -> None:
        for info in _inner_types(kind):
            if isinstance(info, msgspec.inspect.StructType) and not info.forbid_unknown_fields:
                name = info.cls.__name__
                raise self._wrong(f"takes {name} in its {where}", f"give {name} forbid_unknown_fields=True")
            if isinstance(info, msgspec.inspect.DateTimeType) and info.tz is not True:
                remedy = "annotate it with msgspec.Meta(tz=True)"
                raise self._wrong(f"takes a datetime that may lack its time zone in its {where}", remedy)

    def _check_idempotency(self, session: bool, responds: bool) -> None:
        kind, route = self._route.idempotency, self._route
        if kind is Idempotency.NONE or kind is Idempotency.HANDLER:
            return
        if route.method in SAFE_METHODS:
            raise self._wrong("keeps idempotency keys", f"a {route.method} needs none; use Idempotency.NONE")
        if not session:
            remedy = "take 'session' or 'begin' and write with it, or choose Idempotency.NONE or Idempotency.HANDLER"
            raise self._wrong(f"keeps idempotency keys ({kind.name}) but takes neither 'session' nor 'begin'", remedy)
        if responds:
            raise self._wrong("keeps idempotency keys but returns a response", "return a value or an Answer")
        if kind is Idempotency.REQUIRED and route.permission == PUBLIC:
            raise self._wrong("requires an idempotency key of strangers", "a key belongs to a person; use SIGNED_IN")

    def _check_members(self, body: Any) -> None:
        known = getattr(body, "__struct_fields__", ())
        for limit in self._route.rate_limits:
            if limit.member and limit.member not in known:
                raise self._wrong(f"limits requests with {limit.member!r}", "name a field of its body, a Struct")

    def _wrong(self, what: str, remedy: str) -> errors.InvalidDeclaration:
        handler = getattr(self._route.handler, "__qualname__", repr(self._route.handler))
        return errors.InvalidDeclaration(f"{self._place}: {handler} {what}; {remedy}", plugin=self._plugin)


def _without_response(annotation: Any) -> tuple[Any, bool]:
    """Return what a handler returns for the kernel to encode, and whether it may return a response instead.

    Where it returns nothing but responses, what it returns is one.
    """
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    values = [part for part in parts if not _is_response(part)]
    if len(values) == len(parts) or not values:
        return annotation, not values
    return Union[tuple(values)], True  # noqa: UP007  # of values that are known only now


def _is_mixed(annotation: Any) -> bool:
    """Return whether it would take the value itself to know how it is sent."""
    if get_origin(annotation) is Answer:
        return _is_mixed(get_args(annotation)[0])
    if get_origin(annotation) not in (Union, UnionType):
        return False
    return any((get_origin(part) or part) in (Answer, Page, Encoded) for part in get_args(annotation))


def _is_response(annotation: Any) -> bool:
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, web.StreamResponse)


def _inner_types(kind: Any) -> Iterator[object]:
    """Return the description of every type that *kind* is made of, each Struct once."""
    seen: set[type] = set()
    waiting: list[object] = [msgspec.inspect.type_info(kind)]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in seen:
                continue
            seen.add(info.cls)
        yield info
        waiting.extend(_parts(info))


def _parts(info: object) -> Iterator[object]:
    for name in getattr(info, "__struct_fields__", ()):
        value = getattr(info, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, msgspec.inspect.Type | msgspec.inspect.Field):
                yield part


def list_fields(query: type[msgspec.Struct]) -> frozenset[str]:
    """Return the names of the fields that a query string may give several times."""
    return frozenset(
        field.encode_name
        for field in msgspec.structs.fields(query)
        if any((get_origin(kind) or kind) in _LISTS for kind in (field.type, *get_args(field.type)))
    )
