"""Socket.IO: the rooms of `chat/1` for clients that speak it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from kernel import Context, Manifest, Plugin, Route, Socket, hookimpl
from kernel.contracts.chat import CHAT


class SocketIoPlugin(Plugin):
    """Translates between Socket.IO and the conversations of whoever provides `chat/1`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="socketio",
        version="0.1.0",
        summary="The rooms of chat for clients that speak Socket.IO.",
        requires=(CHAT,),
    )

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route | Socket]:
        # here, since the library takes long to import, and every command of `lyceum` would wait for it
        from plugins.socketio.api import sockets

        return sockets(ctx)
