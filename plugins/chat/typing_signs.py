"""That somebody is writing: told to everybody in the room, by whichever process, and gone if it is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import msgspec

from kernel import Context
from kernel.contracts.chat_socket import Typing
from plugins.chat.feed import Member
from plugins.chat.frames import encode
from plugins.chat.hub import Hub
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standing

TOPIC: Final = "chat.typing"
PAUSE: Final = timedelta(seconds=2)  # between two signs of one connection in one room


class Typist(Member, Protocol):
    """Who is writing."""

    room_id: UUID
    standing: Standing
    typed_at: datetime | None


class TypingSigns:
    """Tells who is writing."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._hub = ctx.own(Hub)

    async def tell(self, seat: Typist) -> None:
        """Tell that the person of *seat* is writing, unless that was told just now or they may not write."""
        now = self._ctx.clock.now()
        muted = seat.standing.muted_until is not None and seat.standing.muted_until > now
        if muted or (seat.typed_at is not None and now - seat.typed_at < PAUSE):
            return
        seat.typed_at = now
        told = Typing(room=seat.room_id, user_id=seat.user_id, name=seat.standing.name)
        await self._ctx.events.broadcast(TOPIC, encode(told))

    def hear(self, message: bytes) -> None:
        """Pass on who is writing to the others in the room."""
        told = msgspec.json.decode(message, type=Typing)
        feed = self._hub.feed(told.room)
        if feed is not None:
            feed.tell(message)
