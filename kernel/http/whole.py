"""Responses that are known in full before they are sent."""

from __future__ import annotations

from typing import cast

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11


class WholeResponse(web.Response):
    """A response with a body and headers to which nothing is added but what depends on the connection.

    aiohttp asks of every response whether it is compressed, chunked, streamed or bears cookies, and whether somebody
    wants to change it still; that takes as long as all of our frame around the request.
    """

    async def _start(self, request: web.BaseRequest) -> AbstractStreamWriter:
        if self._must_be_empty_body or request.version != HttpVersion11:
            return await super()._start(request)
        self._req = request
        self._keep_alive = request.keep_alive
        headers = self._headers
        headers[hdrs.CONTENT_LENGTH] = str(len(cast("bytes", self._body)))
        headers[hdrs.DATE] = rfc822_formatted_time()
        if not self._keep_alive:
            headers[hdrs.CONNECTION] = "close"
        self._payload_writer = writer = request._payload_writer  # noqa: SLF001 - as the base class does
        await writer.write_headers(f"HTTP/1.1 {self._status} {self._reason}", headers)
        return writer
