"""What was committed goes out: to those who are here at once, to other processes through Redis."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from kernel import Context
from plugins.chat.entries import LoggedEntry
from plugins.chat.frames import Batch, encoded
from plugins.chat.hub import Hub
from plugins.chat.relaying import Relaying
from plugins.chat.settings import ChatSettings


class Delivery:
    """Delivers the entries that this process has stored."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._hub = ctx.own(Hub)
        self._relaying = ctx.own(Relaying)

    def committed(self, epoch: UUID, entries: Sequence[LoggedEntry]) -> None:
        """Deliver *entries* of one room, which follow each other and are committed."""
        batch = Batch(entries[0].room_id, epoch, [encoded(entry) for entry in entries])
        self._hub.hear(batch)
        self._relaying.tell(batch)
