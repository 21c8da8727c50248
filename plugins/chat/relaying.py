"""From process to process by Redis: what was committed here is told there. What is lost on the way, the log has."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from redis.asyncio.client import PubSub

from kernel import Context
from plugins.chat.frames import Batch
from plugins.chat.hot import CHANNEL, FAILURES, hot_history
from plugins.chat.hub import Hub
from plugins.chat.settings import ChatSettings

WAITING_LIMIT: Final = 2000  # batches that wait while Redis is out of reach; the oldest go first
AT_ONCE: Final = 200  # batches in one call
SILENCE: Final = 5.0  # seconds without a message after which Redis is asked whether it is there
FIRST_DELAY: Final = 0.05
LONGEST_DELAY: Final = 2.0  # seconds between two tries


class Relaying:
    """Tells other processes, and hears them."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._hub = ctx.own(Hub)
        self._hot = hot_history(ctx)
        self._waiting: deque[Batch] = deque(maxlen=WAITING_LIMIT)
        self._left = asyncio.Event()
        self._out_of_reach = False
        self.sending = False  #: something is on its way to Redis

    def tell(self, batch: Batch) -> None:
        """Tell all processes soon; never waits."""
        if self._ctx.redis is not None:
            self._waiting.append(batch)
            self._left.set()

    async def send(self) -> None:
        """Send what waits, until cancelled. What was sent twice does no harm: entries are known by their offsets."""
        delay = FIRST_DELAY
        while True:
            await self._left.wait()
            self._left.clear()
            while batches := self._taken():
                self.sending = True
                try:
                    await self._hot.publish(batches)
                except Exception as error:  # whatever it is: those who wait come next
                    self._waiting.extendleft(reversed(batches))
                    self._lost(error)
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, LONGEST_DELAY)
                else:
                    delay = FIRST_DELAY
                    self._back()
                finally:
                    self.sending = False

    def _taken(self) -> list[Batch]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), AT_ONCE))]

    async def hear(self) -> None:
        """Hear what other processes tell, until cancelled. Each time this begins anew, something may have been lost."""
        if self._ctx.redis is None:
            return
        delay = FIRST_DELAY
        while True:
            try:
                async with self._ctx.redis.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    await self._listen(channel)
            except Exception as error:  # whatever came: who does not listen hears nothing any more
                self._lost(error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_DELAY)

    async def _listen(self, channel: PubSub) -> None:
        silences = 0
        while silences < 2:
            message = await channel.get_message(timeout=SILENCE)
            if message is None:
                silences += 1
                await channel.ping()
                continue
            silences = 0
            if message["type"] == "message":
                for batch in self._hot.heard(message["data"]):
                    self._hub.hear(batch)
            elif message["type"] == "subscribe":  # the client reconnects without a word
                self._hub.checked.set()
        raise TimeoutError("Redis is silent")

    def _lost(self, error: Exception) -> None:
        if not isinstance(error, FAILURES):
            self._ctx.log.error("entries could not be told or heard", action="chat-relay", exc_info=error)
        if not self._out_of_reach:
            self._out_of_reach = True
            self._ctx.log.warning("redis is out of reach; rooms go by the log", action="chat-redis", error=repr(error))

    def _back(self) -> None:
        if self._out_of_reach:
            self._out_of_reach = False
            self._ctx.log.info("redis is back", action="chat-redis-back")
