"""Sockets: what a plugin declares of its WebSockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from kernel.http.request import Request
from kernel.http.routes import DEFAULT_TIMEOUT
from kernel.http.sockets.connection import Connection, Listener

#: Makes what hears a connection. It is called before the connection is accepted: a problem that it raises is the
#: answer to the handshake, and what it sends by the connection goes out first.
Opener = Callable[[Request, Connection], Awaitable[Listener]]

Messages = tuple[type[msgspec.Struct], ...]

DEFAULT_MESSAGE_LIMIT: Final = 16 * 1024  # bytes
DEFAULT_QUEUE_LIMIT: Final = 1024 * 1024  # bytes


@dataclass(frozen=True, kw_only=True)
class Socket:
    """One WebSocket, relative to the plugin's mount."""

    path: str
    opener: Opener
    permission: str
    summary: str = ""
    receives: Messages = ()  #: the messages that it takes
    sends: Messages = ()  #: the messages that it sends
    message_limit: int = DEFAULT_MESSAGE_LIMIT  #: bytes of one message
    rate: str = "50/second"  #: frames of one connection, in the notation of the `limits` package
    queue_limit: int = DEFAULT_QUEUE_LIMIT  #: bytes that a client may leave lying
    timeout: float = DEFAULT_TIMEOUT  #: seconds for the opening, and for each message


def socket(
    path: str,
    opener: Opener,
    *,
    permission: str,
    summary: str = "",
    receives: Messages = (),
    sends: Messages = (),
    message_limit: int = DEFAULT_MESSAGE_LIMIT,
    rate: str = "50/second",
    queue_limit: int = DEFAULT_QUEUE_LIMIT,
    timeout: float = DEFAULT_TIMEOUT,
) -> Socket:
    """Return a WebSocket at *path*; the docstring of *opener* is its summary."""
    return Socket(
        path=path,
        opener=opener,
        permission=permission,
        summary=summary or (opener.__doc__ or "").strip().split("\n")[0],
        receives=receives,
        sends=sends,
        message_limit=message_limit,
        rate=rate,
        queue_limit=queue_limit,
        timeout=timeout,
    )
