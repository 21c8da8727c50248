"""The address of Socket.IO, `/api/v1/socketio/`: a WebSocket of the kernel, on which the library speaks.

So a connection has the guards of every other WebSocket: origin, handshakes, size, rate, a bounded queue, the end of
the sign-in, the end of the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kernel import PUBLIC, Connection, Context, NoSettings, Request, Socket, problems, socket
from plugins.socketio.client import Client
from plugins.socketio.engine import MESSAGE_LIMIT, Engine

PATH: Final = "/"  # clients add the slash to what they are told
RATE: Final = "50/second"  # frames of one connection, of whatever kind
PROTOCOL: Final = "4"  # of Engine.IO, which Socket.IO 3 and 4 speak


class SocketIoApi:
    """Opens connections."""

    def __init__(self, ctx: Context[NoSettings]) -> None:
        self._ctx = ctx
        self._engine = ctx.own(Engine)

    async def open(self, request: Request, connection: Connection) -> Client:
        """Talk in rooms by Socket.IO, whose events are the messages of the chat's own WebSocket."""
        refuse_other_protocols(request.http.query)
        client = Client(self._ctx, request, connection)
        self._engine.speak(client)
        return client


def refuse_other_protocols(query: Mapping[str, str]) -> None:
    """Refuse a handshake that the library would refuse after it was accepted, where nobody reads why.

    Raises:
        problems.BadRequest: it says what to open in its place.
    """
    if query.get("EIO") != PROTOCOL:
        raise problems.BadRequest("Connect with a client of Socket.IO 3 or 4 (EIO=4).")
    if query.get("transport") != "websocket" or "sid" in query:
        raise problems.BadRequest('There is no polling here: connect with transports: ["websocket"].')


def sockets(ctx: Context[NoSettings]) -> tuple[Socket, ...]:
    """Return the WebSocket. Anybody may open it: most clients can say who they are in their first message alone."""
    return (socket(PATH, SocketIoApi(ctx).open, permission=PUBLIC, message_limit=MESSAGE_LIMIT, rate=RATE),)
