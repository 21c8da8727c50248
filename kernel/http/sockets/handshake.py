"""The handshake of RFC 6455, and whose pages may ask for one."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from kernel.http import problems

TICKET: Final = "ticket"  # in the query string
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_SIZE: Final = 16  # bytes


class SwitchedResponse(web.StreamResponse):
    """Stands for a connection that HTTP gave up: there is nothing to send any more."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self._eof_sent = True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Do nothing."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing."""


def refuse_foreign_page(http: web.Request, origins: Collection[str]) -> None:
    """Refuse the page of another site, which a browser lets open sockets with our cookie.

    A browser says always whose page it is. Who comes with a cookie alone and does not say it may be one all the same;
    a ticket or an `Authorization` is none that a page could make a browser add.

    Raises:
        problems.Forbidden: the request comes from elsewhere than *origins*, or does not say where from.
    """
    headers = http.headers
    given = headers.get("Origin")
    if given is None:
        if "Cookie" in headers and "Authorization" not in headers and TICKET not in http.query:
            raise problems.Forbidden("Send the header Origin, a ticket, or the token as Authorization.")
    elif given.lower() not in origins:
        raise problems.Forbidden(f"The page is of {given!r}, which may not open WebSockets here.")


def accepting(http: web.Request) -> bytes:
    """Return what accepts the handshake *http*.

    Raises:
        problems.UpgradeRequired: it is none, or of another version.
        problems.BadRequest: its key is none.
    """
    headers = http.headers
    upgrades = headers.get("Upgrade", "").strip().lower() == "websocket"
    options = {option.strip().lower() for option in headers.get("Connection", "").split(",")}
    if not upgrades or "upgrade" not in options:
        raise problems.UpgradeRequired("Open it as a WebSocket.")
    if headers.get("Sec-WebSocket-Version", "").strip() != "13":
        raise problems.UpgradeRequired("Version 13 alone is spoken here.")
    key = headers.get("Sec-WebSocket-Key", "").strip().encode(errors="surrogateescape")
    if not _is_key(key):
        raise problems.BadRequest("Sec-WebSocket-Key must be sixteen bytes in base64.")
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324 - as the RFC has it; it keeps nothing safe
    return b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + (
        b"Sec-WebSocket-Accept: " + accept + b"\r\n"
    )


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_SIZE
    except binascii.Error:
        return False
