"""Coming into a room: what came since one was there, and from then on everything, with nothing lost in between."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from kernel import Context
from kernel.contracts.chat import Position
from plugins.chat.feed import Feed, Member
from plugins.chat.frames import Encoded, Recovered
from plugins.chat.hub import Hub
from plugins.chat.log import Log
from plugins.chat.settings import ChatSettings

SHOWN: Final = 50  # entries that somebody gets who was not there, or for whom there are too many


class Joining:
    """Lets members in."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._hub = ctx.own(Hub)
        self._log = ctx.own(Log)
        self._limit = ctx.settings.recovery_limit

    async def join(self, room_id: UUID, known: Position | None, member: Member) -> Recovered:
        """Put *member* into the room; return what leads up to the first entry that it will be sent."""
        while True:
            feed = await self._hub.open(room_id)
            if known is not None and known.epoch == feed.epoch and known.offset > feed.last:
                await self._hub.catch_up(room_id)  # this process may have missed what the client has
            elif (found := await self._up_to_now(room_id, feed, known)) is not None:
                # No await since it was found: what comes next, the member is sent.
                feed.enter(member)
                return found
            known = self._still_possible(known, room_id)

    def _still_possible(self, known: Position | None, room_id: UUID) -> Position | None:
        """Return *known*, but not where it lies behind the end of the log: it is none then."""
        feed = self._hub.feed(room_id)
        if known is None or feed is None or known.epoch != feed.epoch or known.offset <= feed.last:
            return known
        return Position(epoch=UUID(int=0), offset=0)

    async def _up_to_now(self, room_id: UUID, feed: Feed, known: Position | None) -> Recovered | None:
        """Return what leads up to now; None where the feed went further meanwhile than can be followed."""
        after, last = self._from(feed, known), feed.last
        read, whole = list[Encoded](), True
        if feed.since(after) is None:
            batch = await self._log.after(room_id, feed.epoch, after, last - after)
            read = [entry for entry in batch.entries if entry.offset <= last]
            whole = len(read) == last - after  # or the beginning of the log has just been removed
            after = last
        rest = feed.since(after)
        if rest is None or self._hub.feed(room_id) is not feed:
            return None
        recovered = None if known is None else whole and self._covers(feed, known, last)
        return Recovered(epoch=feed.epoch, offset=feed.last, recovered=recovered, entries=[*read, *rest])

    def _from(self, feed: Feed, known: Position | None) -> int:
        """Return the offset behind which entries are given: that which is known, if it is not too long ago."""
        if known is not None and self._covers(feed, known, feed.last):
            return known.offset
        return max(feed.last - SHOWN, 0)

    def _covers(self, feed: Feed, known: Position, last: int) -> bool:
        return known.epoch == feed.epoch and last - known.offset <= self._limit
