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
DEFAULT_RATE: Final = "50/second"
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
    rate: str = DEFAULT_RATE  #: frames of one connection, in the notation of the `limits` package
    burst: int | None = None  #: frames that may come at once; None for those of five seconds, or of the rate's period
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
    rate: str = DEFAULT_RATE,
    burst: int | None = None,
    queue_limit: int = DEFAULT_QUEUE_LIMIT,
    timeout: float = DEFAULT_TIMEOUT,
) -> Socket:
    """Return a WebSocket at *path*; the docstring of *opener* is its summary.

    A client may send as many frames as *rate* says, and *burst* at once: one that comes back has things to say again.
    None for *burst* is what the rate allows in five seconds, or in its own period where that is longer.
    """
    return Socket(
        path=path,
        opener=opener,
        permission=permission,
        summary=summary or (opener.__doc__ or "").strip().split("\n")[0],
        receives=receives,
        sends=sends,
        message_limit=message_limit,
        rate=rate,
        burst=burst,
        queue_limit=queue_limit,
        timeout=timeout,
    )
