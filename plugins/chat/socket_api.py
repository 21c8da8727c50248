"""The WebSocket of chat, at `/api/v1/chat/socket`: one connection for as many rooms as somebody is in."""

from __future__ import annotations

import typing
from typing import Final

from kernel import SIGNED_IN, Connection, Context, Request, Socket, socket
from kernel.contracts.chat_socket import PATH, FromClient, FromServer
from plugins.chat.conversation import Conversation
from plugins.chat.settings import ChatSettings

MESSAGE_LIMIT: Final = 32 * 1024  # bytes; 4,000 characters may take four bytes each, or six where they are escaped
RATE: Final = "50/second"  # frames of one connection, of whatever kind; 250 at once


class SocketApi:
    """Opens conversations."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx

    async def open(self, request: Request, connection: Connection) -> Conversation:
        """Talk in rooms: join, hear what happens there, and say something."""
        return Conversation(self._ctx, connection, request.principal)


def sockets(ctx: Context[ChatSettings]) -> tuple[Socket, ...]:
    """Return the WebSocket."""
    return (
        socket(
            PATH,
            SocketApi(ctx).open,
            permission=SIGNED_IN,
            receives=typing.get_args(FromClient),
            sends=typing.get_args(FromServer),
            message_limit=MESSAGE_LIMIT,
            rate=RATE,
        ),
    )
