"""Responses that are known in full before they are sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import must_be_empty_body, rfc822_formatted_time
from aiohttp.http import HttpVersion11
from multidict import CIMultiDict

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a header's name, RFC 9110
_UNSENDABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
#: Depend on the body, the connection and the request, so the server writes them.
_OF_SENDING: Final = frozenset({"connection", "content-length", "date", "transfer-encoding", "x-request-id"})


def refuse_unsendable(headers: Mapping[str, str]) -> None:
    """Refuse *headers* of which one is not a handler's to say, or can not be written.

    Raises:
        ValueError: it names them.
    """
    if not all(map(_TOKEN.fullmatch, headers)):
        raise ValueError(f"the name of a header is a word of letters, digits and hyphens: {dict(headers)}")
    if _UNSENDABLE.search("".join(headers.values())):
        raise ValueError(f"a header holds a control character or half a character: {dict(headers)}")
    if not _OF_SENDING.isdisjoint(map(str.lower, headers)):
        raise ValueError(f"the server itself writes {', '.join(sorted(_OF_SENDING))}; leave them out: {dict(headers)}")


class Head:
    """The *headers* that all answers of a route have, written out once."""

    def __init__(self, headers: CIMultiDict[str]) -> None:
        self.headers = headers
        self._lines = _lines(headers)
        self._taken = {name.lower() for name in headers}

    def continued(self, further: Mapping[str, str]) -> str | None:
        """Return these lines and those of *further* headers, which can be sent; None where one is said anew."""
        return self._lines + _lines(further) if self._taken.isdisjoint(map(str.lower, further)) else None


class WholeResponse(web.StreamResponse):
    """A response that is sent in one piece: *lines* of headers that were written out before, and a *body*.

    aiohttp asks of every response whether it is compressed, chunked, streamed or bears cookies, and whether somebody
    wants to change it still; that takes as long as all of our frame around the request. `headers` has those alone
    that are added later.
    """

    def __init__(self, lines: str, body: bytes, status: int) -> None:
        super().__init__(status=status)
        self._lines = lines
        self._whole_body = body

    @staticmethod
    def suits(request: web.BaseRequest, status: int) -> bool:
        """Return whether *request* can be answered so with *status*, which allows a body."""
        return request.version == HttpVersion11 and not must_be_empty_body(request.method, status)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Know the connection; nothing is sent yet."""
        self._req = request
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        self._payload_writer = request._payload_writer  # noqa: SLF001 - as the base class does
        return self._payload_writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Send everything."""
        body = self._whole_body
        connection = "" if self._keep_alive else "Connection: close\r\n"
        head = (
            f"HTTP/1.1 {self._status} {self._reason}\r\n{self._lines}{_lines(self._headers)}{connection}"
            f"Content-Length: {len(body)}\r\nDate: {rfc822_formatted_time()}\r\n\r\n"
        )
        await super().write_eof(head.encode() + body)


def _lines(headers: Mapping[str, str]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
