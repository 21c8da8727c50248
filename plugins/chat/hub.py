"""The rooms that somebody is in by this process, and the repair of what did not reach them.

What is delivered comes in three ways: from this process right after its commit, from others through Redis, and from
the log. Only the log is certain. A hole is filled from it at once; and a look at how far each log goes, at intervals,
finds what was lost without a trace.
"""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

from kernel import Context, frame, new_id, problems
from kernel.contracts.chat_socket import Reset
from plugins.chat.feed import Feed, Frame, Member
from plugins.chat.frames import Batch, Encoded, encode
from plugins.chat.hot import HotHistory, hot_history
from plugins.chat.log import Log, Reached
from plugins.chat.settings import ChatSettings

GRACE: Final = 0.02  # seconds in which what fills a hole may still come by itself
PAGE: Final = 500  # entries read at once to fill a hole


class Hub:
    """All feeds of this process."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._log = ctx.own(Log)
        self._hot: HotHistory = hot_history(ctx)
        self._feeds: dict[UUID, Feed] = {}
        self._opening: dict[UUID, asyncio.Future[Feed]] = {}
        self._early: dict[UUID, list[Batch]] = {}  # what came while its feed was being opened
        self._mending: set[UUID] = set()
        self.checked = asyncio.Event()  #: set to have the next look at all logs now
        self.frame: Frame = frame  # a test takes another one, which it can read

    def hear(self, batch: Batch) -> None:
        """Deliver *batch* to those who are in the room, if it is its turn."""
        feed = self._feeds.get(batch.room_id)
        if feed is None:
            if (early := self._early.get(batch.room_id)) is not None:
                early.append(batch)
            return
        feed.take(batch)
        if feed.hole or batch.epoch != feed.epoch:
            self._mend_soon(batch.room_id)

    def feed(self, room_id: UUID) -> Feed | None:
        """Return the feed of the room, None where nobody follows it by this process."""
        return self._feeds.get(room_id)

    @property
    def feeds(self) -> dict[UUID, Feed]:
        """All feeds by their rooms."""
        return dict(self._feeds)

    async def open(self, room_id: UUID) -> Feed:
        """Return the feed of the room; of those who open it at once one does so.

        Raises:
            problems.NotFound: there is no such room.
        """
        if (feed := self._feeds.get(room_id)) is not None:
            return feed
        if (opening := self._opening.get(room_id)) is None:
            opening = self._opening[room_id] = asyncio.ensure_future(self._open(room_id))
            opening.add_done_callback(lambda done: self._opened(room_id, done))
        return await asyncio.shield(opening)

    def leave(self, room_id: UUID, member: Member) -> None:
        """Take *member* out of the room."""
        if (feed := self._feeds.get(room_id)) is not None:
            feed.leave(member)

    async def check(self) -> None:
        """Compare how far each feed has come with how far its log goes, and deliver what was lost.

        Feeds that nobody follows any more are closed.
        """
        for room_id in [room_id for room_id, feed in self._feeds.items() if not feed.members]:
            del self._feeds[room_id]
        for reached in await self._log.all_reached(list(self._feeds)) if self._feeds else ():
            feed = self._feeds.get(reached.id)
            if feed is not None and (feed.last, feed.epoch) != (reached.last_offset, reached.epoch):
                await self._mend(reached.id)

    async def catch_up(self, room_id: UUID) -> None:
        """Deliver now what the room's log has and its feed has not."""
        await self._mend(room_id)

    def _mend_soon(self, room_id: UUID) -> None:
        if room_id not in self._mending:
            self._mending.add(room_id)
            self._ctx.tasks.start(self._mend_later(room_id), name="filling a hole in a room")

    async def _mend_later(self, room_id: UUID) -> None:
        try:
            await asyncio.sleep(GRACE)
            await self._mend(room_id)
        finally:
            self._mending.discard(room_id)

    async def _mend(self, room_id: UUID) -> None:
        """Deliver what the log has behind the feed's last entry."""
        feed, reached = self._feeds.get(room_id), await self._log.reached(room_id)
        if feed is None or reached is None:
            return
        if reached.epoch != feed.epoch:
            self._reset(feed, reached)
        elif reached.last_offset < feed.last:
            await self._log_went_back(feed, reached)
        else:
            await self._catch_up(feed, reached)

    async def _catch_up(self, feed: Feed, reached: Reached) -> None:
        while feed.last < reached.last_offset and feed.epoch == reached.epoch:
            before = feed.last
            batch = await self._log.after(reached.id, reached.epoch, before, PAGE)
            feed.take(batch)
            if feed.last == before:  # the log has a hole, which is as good as another log
                return await self._renew(feed, reached)
        return None

    async def _log_went_back(self, feed: Feed, reached: Reached) -> None:
        """Begin a new epoch: entries that were delivered are not in the log any more.

        Offsets are only ever raised, so this is no state that a running database comes to by itself. What is delivered
        while the log is read may not be in what was read; what was delivered before that has to be.
        """
        delivered = feed.last
        again = await self._log.reached(reached.id)
        if again is not None and again.epoch == feed.epoch and again.last_offset < delivered:
            await self._renew(feed, again)

    async def _renew(self, feed: Feed, reached: Reached) -> None:
        self._warn(reached, feed.last)
        await self._log.renew(reached, feed.last, new_id())
        if (now := await self._log.reached(reached.id)) is not None:
            self._reset(feed, now)

    def _reset(self, feed: Feed, reached: Reached) -> None:
        """Go over to another epoch; who is there has to join anew, and meanwhile gets nothing.

        Of several who find at once that there is another epoch one does so: who has joined since is in the new feed.
        """
        if self._feeds.get(reached.id) is not feed:
            return
        feed.tell(encode(Reset(room=reached.id, epoch=reached.epoch)))
        self._feeds[reached.id] = self._feed(reached.epoch, [], reached.last_offset)

    async def _open(self, room_id: UUID) -> Feed:
        self._early[room_id] = []
        reached = await self._log.reached(room_id)
        if reached is None:
            raise problems.NotFound
        hot = await self._hot.read(room_id, reached.epoch)
        if hot and hot[-1].offset > reached.last_offset:
            reached, hot = await self._reconciled(reached, hot)
        recent = hot if self._suffices(hot, reached) else await self._cold(reached)
        last = recent[-1].offset if recent else reached.last_offset
        feed = self._feeds[room_id] = self._feed(reached.epoch, recent, last)
        return feed

    def _feed(self, epoch: UUID, recent: list[Encoded], last: int) -> Feed:
        return Feed(epoch, recent, last, limit=self._ctx.settings.hot_history, frame=self.frame)

    def _opened(self, room_id: UUID, done: asyncio.Future[Feed]) -> None:
        del self._opening[room_id]
        early = self._early.pop(room_id, [])
        if not done.cancelled() and done.exception() is None:
            for batch in early:
                self.hear(batch)

    def _suffices(self, hot: list[Encoded], reached: Reached) -> bool:
        if not hot or hot[-1].offset < reached.last_offset:
            return False
        return len(hot) >= min(self._ctx.settings.hot_history, reached.last_offset)

    async def _cold(self, reached: Reached) -> list[Encoded]:
        """Return the last entries as the log has them, and make them the hot history of all processes."""
        batch = await self._log.last(reached.id, reached.epoch, self._ctx.settings.hot_history)
        found = unbroken(batch.entries, reached.last_offset)
        await self._hot.fill(Batch(reached.id, reached.epoch, found))
        return found

    async def _reconciled(self, reached: Reached, hot: list[Encoded]) -> tuple[Reached, list[Encoded]]:
        """Return the room's position and hot history where that goes further than the log did a moment ago.

        What is in the hot history was committed; where the log still ends before it, the log was set back.
        """
        now = await self._log.reached(reached.id) or reached
        if now.epoch == reached.epoch and now.last_offset < hot[-1].offset:
            self._warn(now, hot[-1].offset)
            await self._log.renew(now, hot[-1].offset, new_id())
            now = await self._log.reached(reached.id) or now
        return now, hot if now.epoch == reached.epoch else []

    def _warn(self, reached: Reached, delivered: int) -> None:
        self._ctx.log.warning(
            "the log of a room is not the one that it was; its clients are told to begin anew",
            action="chat-epoch",
            room_id=str(reached.id),
            delivered=delivered,
            stored=reached.last_offset,
        )


def unbroken(entries: list[Encoded], last: int) -> list[Encoded]:
    """Return those of the last *entries* that lead up to *last*, or beyond, without a hole.

    There is a hole before each new epoch.
    """
    if not entries or entries[-1].offset < last:
        return []
    first = len(entries) - 1
    while first and entries[first - 1].offset == entries[first].offset - 1:
        first -= 1
    return entries[first:]
