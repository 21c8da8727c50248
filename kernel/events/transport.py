"""Transports: the fast way from a relay to the receivers.

A transport may lose, double and reorder what it is given: a receiver goes by the positions, and reads the source's log
where one is missing. So nothing here has to be exact, only quick.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

import msgspec
from redis.asyncio import Redis
from redis.typing import KeyT, StreamIdT
from structlog.typing import FilteringBoundLogger

from kernel.events.outage import FAILURES, SEND_LIMIT, Outage, own_client
from kernel.events.outbox import BATCH, Entry

STREAM_LENGTH: Final = 10_000  # entries kept for each source, about; who is further behind reads the log
BLOCK: Final = 5_000  # milliseconds

#: Takes the entries of a source that have arrived in this process; with none, takes note that some were missed.
Deliver = Callable[[str, Sequence[Entry]], None]

#: The id of a message in a stream, and its fields.
_Message = tuple[bytes, dict[bytes, bytes]]


class Transport(Protocol):
    """Carries published entries to the receivers."""

    async def send(self, source: str, entries: Sequence[Entry]) -> None:
        """Hand on what *source* has published; never raises for want of a connection."""
        ...

    async def forget(self, source: str) -> None:
        """Drop every copy of what *source* has published; who has not read them reads the log."""
        ...


class InProcess:
    """A function call."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver

    async def send(self, source: str, entries: Sequence[Entry]) -> None:
        self._deliver(source, entries)

    async def forget(self, source: str) -> None:
        pass  # it keeps no copies


class RedisStreams:
    """One stream for each source, read by every process.

    There are no consumer groups: how far a plugin has read is known in its own database, where it changes together
    with the inbox. So a process that dies leaves nothing pending, and the plugin that is switched off holds up no
    stream: each is a window of fixed length on its source's log.
    """

    def __init__(self, redis: Redis, deliver: Deliver, log: FilteringBoundLogger) -> None:
        self._redis = redis
        self._deliver = deliver
        self._outage = Outage("sending through redis", log)

    async def send(self, source: str, entries: Sequence[Entry]) -> None:
        if not self._outage.over():
            return self._deliver(source, entries)
        try:
            async with asyncio.timeout(SEND_LIMIT):
                await self._add(source, entries)
        except FAILURES as error:
            # This process goes on by itself; the others find the events in the log.
            self._outage.failed(error)
            self._deliver(source, entries)
        else:
            self._outage.ended()

    async def forget(self, source: str) -> None:
        # The stream as a whole: what is deleted within one stays in its memory until the entries around it go.
        async with asyncio.timeout(SEND_LIMIT):
            await self._redis.delete(_stream(source))

    async def _add(self, source: str, entries: Sequence[Entry]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for entry in entries:
            pipeline.xadd(_stream(source), {b"entry": msgspec.msgpack.encode(entry)}, maxlen=STREAM_LENGTH)
        await pipeline.execute()

    async def listen(self, sources: Sequence[str]) -> None:
        """Deliver what arrives for *sources*, until cancelled; reconnect for ever."""
        outage = Outage("listening to redis streams", self._outage.log)
        client = own_client(self._redis)
        try:
            while True:
                try:
                    await self._read(client, sources, outage)
                except Exception as error:
                    await asyncio.sleep(outage.failed(error))
        finally:
            await client.aclose()

    async def _read(self, client: Redis, sources: Sequence[str], outage: Outage) -> None:
        seen = {_stream(source): await _end(client, source) for source in sources}
        for source in sources:
            self._deliver(source, ())  # what came while nobody listened
        outage.ended()
        while True:
            for stream, messages in await _wait(client, seen):
                seen[stream] = messages[-1][0]
                self._deliver(stream.removeprefix("ev:"), [_decode(fields) for _, fields in messages])


def _stream(source: str) -> str:
    return f"ev:{source}"


async def _end(client: Redis, source: str) -> bytes:
    newest = cast("list[_Message]", await client.xrevrange(_stream(source), count=1))
    return newest[0][0] if newest else b"0-0"


async def _wait(client: Redis, seen: dict[str, bytes]) -> list[tuple[str, list[_Message]]]:
    # The limit is for a peer that vanished without a word, which a client without a socket timeout never notices.
    async with asyncio.timeout(BLOCK / 1000 + SEND_LIMIT):
        reply = await client.xread(cast("dict[KeyT, StreamIdT]", seen), count=BATCH, block=BLOCK)
    return [(stream.decode(), messages) for stream, messages in cast("list[tuple[bytes, list[_Message]]]", reply or [])]


def _decode(fields: dict[bytes, bytes]) -> Entry:
    return msgspec.msgpack.decode(fields[b"entry"], type=Entry)
