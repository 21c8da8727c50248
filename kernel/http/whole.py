"""Responses that are known in full before they are sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11
from multidict import CIMultiDict

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: Depend on the body and the connection, so whoever sends writes them.
_OF_SENDING: Final = frozenset({"connection", "content-length", "date", "transfer-encoding"})


class Head:
    """The *headers* that all answers of a route have, written out once."""

    def __init__(self, headers: CIMultiDict[str]) -> None:
        self.headers = headers
        self.lines = "".join(map(_line, headers, headers.values()))
        self._taken = _OF_SENDING | {name.lower() for name in headers}

    def allows(self, further: Mapping[str, str]) -> bool:
        """Return whether *further* headers may follow these lines: whether none says one of them anew.

        Raises:
            ValueError: one is no handler's to say, or its value holds a control character.
        """
        for name, value in further.items():
            if _CONTROL.search(value):
                raise ValueError(f"the header {name!r} holds a control character: {value!r}")
        if self._taken.isdisjoint(map(str.lower, further)):
            return True
        if not _OF_SENDING.isdisjoint(map(str.lower, further)):
            raise ValueError(f"the server itself writes {', '.join(sorted(_OF_SENDING))}; leave them out: {further}")
        return False


class WholeResponse(web.StreamResponse):
    """A response that is sent in one piece: the lines of *head*, *further* headers and a *body*.

    aiohttp asks of every response whether it is compressed, chunked, streamed or bears cookies, and whether somebody
    wants to change it still; that takes as long as all of our frame around the request. `headers` has the *further*
    ones alone, which *head* must allow.
    """

    def __init__(self, head: Head, further: Mapping[str, str], body: bytes, status: int) -> None:
        super().__init__(status=status, headers=further)
        self._lines = head.lines
        self._whole_body = body

    @staticmethod
    def suits(request: web.BaseRequest) -> bool:
        """Return whether *request* can be answered so."""
        return request.version == HttpVersion11 and request.method != hdrs.METH_HEAD

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Know the connection; nothing is sent yet."""
        self._req = request
        self._keep_alive = request.keep_alive
        self._payload_writer = request._payload_writer  # noqa: SLF001 - as the base class does
        return self._payload_writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Send everything."""
        body = self._whole_body
        further = "".join(map(_line, self._headers, self._headers.values()))
        connection = "" if self._keep_alive else "Connection: close\r\n"
        head = (
            f"HTTP/1.1 {self._status} {self._reason}\r\n{self._lines}{further}{connection}"
            f"Content-Length: {len(body)}\r\nDate: {rfc822_formatted_time()}\r\n\r\n"
        )
        await super().write_eof(head.encode() + body)


def _line(name: str, value: str) -> str:
    return f"{name}: {value}\r\n"
