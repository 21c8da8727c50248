"""Broadcasts: told to every process now, at most once, for what may be lost."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from redis.asyncio import Redis
from structlog.typing import FilteringBoundLogger

from kernel.events.outage import FAILURES, SEND_LIMIT, Outage, own_client

PREFIX: Final = "bc:"

Listener = Callable[[bytes], None]


class Broadcast:
    """The broadcasts of one process: through Redis where there is one, else a function call."""

    def __init__(self, redis: Redis | None, log: FilteringBoundLogger) -> None:
        self._redis = redis
        self._log = log
        self._outage = Outage("broadcasting", log)
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)

    def listen(self, topic: str, listener: Listener) -> None:
        """Call *listener* with every message of *topic*."""
        self._listeners[topic].append(listener)

    async def send(self, topic: str, message: bytes) -> None:
        """Tell every process; while Redis is out of reach, this one alone."""
        if self._redis is None or not self._outage.over():
            return self._hear(topic, message)
        try:
            async with asyncio.timeout(SEND_LIMIT):
                await self._redis.publish(f"{PREFIX}{topic}", message)
        except FAILURES as error:
            self._outage.failed(error)
            self._hear(topic, message)
        else:
            self._outage.ended()

    async def run(self) -> None:
        """Hear what other processes tell, until cancelled; reconnect for ever."""
        if self._redis is None:
            return
        outage = Outage("hearing broadcasts", self._log)
        client = own_client(self._redis)
        try:
            while True:
                try:
                    await self._read(client, outage)
                except Exception as error:
                    await asyncio.sleep(outage.failed(error))
        finally:
            await client.aclose()

    async def _read(self, client: Redis, outage: Outage) -> None:
        async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.psubscribe(f"{PREFIX}*")
            outage.ended()
            async for message in pubsub.listen():
                self._hear(message["channel"].decode().removeprefix(PREFIX), message["data"])

    def _hear(self, topic: str, message: bytes) -> None:
        for listener in self._listeners.get(topic, ()):
            try:
                listener(message)
            except Exception:
                self._log.exception("broadcast listener failed", action="broadcast.failed", topic=topic)
