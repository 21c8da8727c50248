"""The library: one server of Socket.IO for all connections of a process.

It shakes hands, keeps the heartbeat and reads packets. It neither opens connections nor ends them, and does not wait
for what is asked of the chat: the kernel's WebSockets do.
"""

from __future__ import annotations

import logging
from typing import Any, Final, Protocol

import msgspec
import socketio

from kernel import Context, NoSettings
from plugins.socketio.packets import ASKED, Asked, EventPacket, Unreadable
from plugins.socketio.wire import Wire

MESSAGE_LIMIT: Final = 32 * 1024  # bytes, as of the chat's own WebSocket
PING_SECONDS: Final = 25  # between two pings, which clients of Socket.IO await
PONG_SECONDS: Final = 20  # that a client has to answer one
_CLIENT: Final = "lyceum.client"  # under which a request of the library has our client
_UPGRADE: Final = ((b"connection", b"upgrade"), (b"upgrade", b"websocket"))

_log: Final = logging.getLogger("lyceum.socketio")


class Speaker(Protocol):
    """What the library tells of a connection."""

    wire: Wire

    async def connects(self, auth: msgspec.Raw | None) -> None:
        """Find out who it is; raise socketio's `ConnectionRefusedError` for somebody who may not come in."""
        ...

    def asks(self, asked: Asked | Unreadable) -> None:
        """Take note of an event."""
        ...

    def leaves(self) -> None:
        """Take note that the client, or the library, has ended it."""
        ...


class Engine:
    """Speaks Socket.IO."""

    def __init__(self, ctx: Context[NoSettings]) -> None:
        self._ctx = ctx
        _log.setLevel(logging.ERROR)  # below it the library logs whole packets, with tokens and what people say
        self._server = socketio.AsyncServer(
            async_mode="asgi",
            async_handlers=False,
            serializer=EventPacket,
            transports=["websocket"],
            allow_upgrades=False,
            ping_interval=PING_SECONDS,
            ping_timeout=PONG_SECONDS,
            max_http_buffer_size=MESSAGE_LIMIT,
            cors_allowed_origins=[],  # not looked at: the kernel has checked the origin
            monitor_clients=False,  # the kernel looks after connections
            logger=_log,
            engineio_logger=_log,
        )
        self._server.on("connect", self._connect)
        self._server.on("disconnect", self._disconnect)
        self._server.on(ASKED, self._ask)

    def speak(self, client: Speaker) -> None:
        """Let the library speak with *client* until either ends it."""
        wire = client.wire
        scope = {
            "type": "websocket",
            "path": "/",
            "query_string": b"EIO=4&transport=websocket",
            "headers": _UPGRADE,
            _CLIENT: client,
        }
        speaking = self._server.handle_request(scope, wire.receive, wire.send)
        self._ctx.tasks.start(speaking, name="speaking Socket.IO").add_done_callback(lambda _: wire.abandon())

    async def _connect(self, sid: str, environ: dict[str, Any], auth: msgspec.Raw | None) -> None:
        await environ["asgi.scope"][_CLIENT].connects(auth)

    async def _ask(self, sid: str, asked: Asked | Unreadable) -> object:
        self._client(sid).asks(asked)
        return self._server.not_handled  # so that the library acknowledges nothing: the answer does

    async def _disconnect(self, sid: str, reason: str) -> None:
        self._client(sid).leaves()

    def _client(self, sid: str) -> Speaker:
        client: Speaker = self._server.get_environ(sid)["asgi.scope"][_CLIENT]
        return client
