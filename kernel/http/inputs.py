"""Inputs: path, query and body of a request, converted to what a handler takes.

What a database could not store is refused here, in one place: a NUL character, an integer of more than 64 bits, a
number that is none. Such values are rare enough to be looked for with one search of the raw text; only where that
finds something suspicious are the values themselves inspected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec
from aiohttp import web
from yarl import URL

from kernel.http import problems
from kernel.http.signatures import Signature, list_fields

_DIGITS: Final = bytes(ord("0") if chr(code).isdecimal() and code < 128 else ord(" ") for code in range(256))
_LONG_NUMBER: Final = b"0" * 19  # digits: 64 bits hold all shorter numbers
_SUSPICIOUS_QUERY: Final = re.compile(r"%00|[0-9]{19}|nan|inf|null", re.IGNORECASE)
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_PLACE: Final = re.compile(r"(?P<what>.*?)(?: - at (?:`key` in )?`\$(?P<at>.*)`)?", re.DOTALL)
_NAMED_FIELD: Final = re.compile(r"Object (?:contains unknown|missing required) field `(?P<name>.*)`", re.DOTALL)
_LARGEST: Final = 2**63 - 1

QUERIES: Final = 1024  # query strings of one route whose meaning is remembered

Arguments = dict[str, Any]


def path_filler(signature: Signature) -> Callable[[Mapping[str, str], Arguments], None]:
    """Return what adds the path's values to a handler's arguments; a value of the wrong form names nothing: 404."""
    conversions = tuple((name, _CONVERSIONS[kind]) for name, kind in signature.path)

    def fill(placeholders: Mapping[str, str], arguments: Arguments) -> None:
        for name, convert in conversions:
            arguments[name] = convert(placeholders[name])

    return fill


def query_filler(query: type[msgspec.Struct]) -> Callable[[web.Request, Arguments], None]:
    """Return what adds the query string, as a *query*, to a handler's arguments."""
    several = list_fields(query)

    def read(text: str) -> msgspec.Struct:
        values = _single_values(URL.build(query_string=text, encoded=True).query.items(), several)
        try:
            converted = msgspec.convert(values, query, strict=False)
        except msgspec.ValidationError as error:
            raise _invalid("query", error) from error
        if _SUSPICIOUS_QUERY.search(text):
            _refuse_unstorable("query", converted)
            _refuse_null(values, converted)
        return converted

    # The same few queries come again and again; what nobody can change may be given to several.
    known = lru_cache(QUERIES)(read) if query.__struct_config__.frozen and not several else read

    def fill(http: web.Request, arguments: Arguments) -> None:
        arguments["query"] = known(http.rel_url.raw_query_string)

    return fill


def refuse_query(http: web.Request, arguments: Arguments) -> None:
    """Refuse a query string where a route has none: unknown parameters are refused, and here all are unknown."""
    if http.rel_url.raw_query_string:
        unknown = [problems.FieldError(f"query.{name}", "is unknown") for name in dict.fromkeys(http.query)]
        raise problems.Invalid(fields=unknown)


def body_decoder(kind: Any) -> Callable[[bytes], object]:
    """Return what makes a *kind* of a body."""
    decode = msgspec.json.Decoder(kind).decode

    def decode_body(raw: bytes) -> object:
        try:
            try:
                value: object = decode(raw)
            except msgspec.ValidationError:  # 63.0 is the integer 63 to JSON, but not to msgspec
                value = msgspec.convert(_whole_numbers(msgspec.json.decode(raw)), kind)
        except msgspec.ValidationError as error:
            raise _invalid("body", error) from error
        except UnicodeDecodeError as error:
            raise problems.BadRequest("The body is not UTF-8.") from error
        except msgspec.DecodeError as error:
            raise problems.BadRequest(f"The body is not JSON: {error}.") from error
        except RecursionError:
            raise problems.BadRequest("The body is nested too deeply.") from None
        if b"\\u0000" in raw or _LONG_NUMBER in raw.translate(_DIGITS):
            _refuse_unstorable("body", value)
        return value

    return decode_body


async def read_body(http: web.Request, limit: int) -> bytes:
    """Return the body of a JSON request, counted while it is read."""
    _check_media_type(http)
    declared = http.content_length
    if declared is not None and declared > limit:
        raise _too_large(limit)
    read = await http.content.readany()
    if not http.content.at_eof():
        read = await _read_on(http, bytearray(read), limit)
    if len(read) > limit:
        raise _too_large(limit)
    return read


async def _read_on(http: web.Request, read: bytearray, limit: int) -> bytes:
    while not http.content.at_eof():
        if len(read) > limit:
            raise _too_large(limit)
        read += await http.content.readany()
    return bytes(read)


def _check_media_type(http: web.Request) -> None:
    found = http.headers.get("Content-Type", "")
    if found != "application/json" and not (
        http.content_type == "application/json" and (http.charset or "utf-8").lower() in ("utf-8", "utf8")
    ):
        raise problems.UnsupportedMediaType(f"It is {found!r}." if found else "It has no Content-Type.")
    encoding = http.headers.get("Content-Encoding", "identity")
    if encoding != "identity":  # what is not unpacked can not explode
        raise problems.UnsupportedMediaType(f"Send it without Content-Encoding (it has {encoding!r}).")


def _too_large(limit: int) -> problems.TooLarge:
    return problems.TooLarge(f"At most {limit} bytes.", extensions={"limit": limit})


def _uuid(text: str) -> UUID:
    try:
        return msgspec.convert(text, UUID)
    except msgspec.ValidationError:
        raise problems.NotFound from None


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise problems.NotFound
    return int(text)


def _text(text: str) -> str:
    if "\0" in text:
        raise problems.NotFound
    return text


_CONVERSIONS: Final[Mapping[type, Callable[[str], object]]] = {UUID: _uuid, int: _integer, str: _text}


def _single_values(pairs: Any, several: frozenset[str]) -> dict[str, object]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in several:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise problems.Invalid(fields=[problems.FieldError(f"query.{name}", "is given more than once")])
        else:
            values[name] = value
    return values


def _invalid(where: str, error: msgspec.ValidationError) -> problems.Invalid:
    """Translate msgspec's `… - at `$.sections[0].title`` into our field path."""
    found = _PLACE.fullmatch(str(error))
    what, at = (found["what"], found["at"] or "") if found else (str(error), "")
    if named := _NAMED_FIELD.fullmatch(what):
        at = f"{at}.{named['name']}"
        what = "is required" if "missing" in what else "is unknown"
    return problems.Invalid(fields=[problems.FieldError(where + at, what)])


def _whole_numbers(value: object) -> object:
    """Return *value* with each number that has nothing after its point as an integer."""
    if isinstance(value, dict):
        return {name: _whole_numbers(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _refuse_unstorable(where: str, value: object) -> None:
    found = [problems.FieldError(place, what) for place, what in _unstorable(where, msgspec.to_builtins(value))]
    if found:
        raise problems.Invalid(fields=found)


def _refuse_null(values: Mapping[str, object], converted: object) -> None:
    """Refuse `?light=null`, which msgspec takes for no value where the field may be None."""
    fields: dict[str, object] = msgspec.to_builtins(converted)
    found = [problems.FieldError(f"query.{name}", "is null; leave it out") for name in values if fields[name] is None]
    if found:
        raise problems.Invalid(fields=found)


def _unstorable(place: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and "\0" in value:
        yield place, "contains a NUL character"
    elif isinstance(value, int) and not -_LARGEST - 1 <= value <= _LARGEST:
        yield place, "is an integer of more than 64 bits"
    elif isinstance(value, float) and not math.isfinite(value):
        yield place, "is not a finite number"
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from _unstorable(place, name)
            yield from _unstorable(f"{place}.{name}", member)
    elif isinstance(value, list | tuple):
        for number, member in enumerate(value):
            yield from _unstorable(f"{place}[{number}]", member)
