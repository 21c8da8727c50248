"""The hot history of all processes: for each room a Redis List of its last entries, the newest first.

It is a cache of the log, so Redis may lose it at any time. It never has a hole: what does not follow on its newest
entry begins it anew. Whoever opens a room looks here first, and fills it from the log where it is too short.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel import Context, new_id
from plugins.chat.frames import Batch, Encoded
from plugins.chat.settings import ChatSettings

CHANNEL: Final = "chat:entries"
PREFIX: Final = "chat:hot:"
KEPT_SECONDS: Final = 24 * 3600  # since the last entry

#: What a use of Redis raises while it is out of reach.
FAILURES: Final = (RedisError, OSError, TimeoutError)

#: For each room: its newest entries onto its list, if they follow; then tell all processes. A change of a text that
#: may be in the list drops it, and leaves a floor: nothing that was read from the log before may fill it again.
#: Before the entries of each room stands how many they are, below zero if there is such a change among them.
PUSH: Final = """
local limit, ttl, at = tonumber(ARGV[3]), tonumber(ARGV[4]), 5
for number, key in ipairs(KEYS) do
  local count = tonumber(ARGV[at])
  local rewrites = count < 0
  if rewrites then count = -count end
  local epoch, offset = string.match(ARGV[at + 1], '^(%x+):(%d+):')
  local first, follows, known = tonumber(offset), false, false
  local head = redis.call('LINDEX', key, 0)
  if head then
    local its_epoch, its_offset = string.match(head, '^(%x+):(%d+):')
    follows = its_epoch == epoch and tonumber(its_offset) + 1 == first
    known = its_epoch == epoch and tonumber(its_offset) >= first
  end
  if rewrites then
    redis.call('DEL', key)
    redis.call('SET', key .. ':floor', first + count - 1, 'EX', ttl)
  elseif not known then
    if not follows then redis.call('DEL', key) end
    redis.call('LPUSH', key, unpack(ARGV, at + 1, at + count))
    redis.call('LTRIM', key, 0, limit - 1)
    redis.call('EXPIRE', key, ttl)
  end
  at = at + count + 1
end
return redis.call('PUBLISH', ARGV[1], ARGV[2])
"""

#: The list anew, unless it has become longer or a text that may be in it was changed since it was read.
FILL: Final = """
local epoch, last, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local floor = redis.call('GET', KEYS[1] .. ':floor')
if floor and tonumber(floor) > last then return 0 end
local head = redis.call('LINDEX', KEYS[1], 0)
if head then
  local its_epoch, its_offset = string.match(head, '^(%x+):(%d+):')
  if its_epoch == epoch and tonumber(its_offset) > last then return 0 end
end
redis.call('DEL', KEYS[1])
for entry = 4, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[entry]) end
redis.call('EXPIRE', KEYS[1], ttl)
return 1
"""

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(Encoded).decode
_unpack_batches: Final = msgspec.msgpack.Decoder(list[Batch]).decode


class HotHistory(Protocol):
    """Keeps the last entries of each room where every process finds them."""

    async def read(self, room_id: UUID, epoch: UUID) -> list[Encoded]:
        """Return the last entries of *epoch*, in order and without a hole; none where nothing is known."""
        ...

    async def fill(self, batch: Batch) -> None:
        """Begin anew with what the log has."""
        ...

    async def publish(self, batches: Sequence[Batch]) -> None:
        """Add entries that were committed, and tell all other processes of them."""
        ...

    def heard(self, message: bytes) -> Sequence[Batch]:
        """Return what another process has told; nothing where it is this one's own word."""
        ...

    async def forget(self, room_id: UUID, offset: int) -> None:
        """Drop what is kept of a room, whose log goes up to *offset*."""
        ...


class NoHotHistory:
    """Of a deployment of one process, which has the last entries in its feeds."""

    async def read(self, room_id: UUID, epoch: UUID) -> list[Encoded]:
        return []

    async def fill(self, batch: Batch) -> None:
        return

    async def publish(self, batches: Sequence[Batch]) -> None:
        return

    def heard(self, message: bytes) -> Sequence[Batch]:
        return ()

    async def forget(self, room_id: UUID, offset: int) -> None:
        return


class RedisHotHistory:
    """In a Redis List for each room. Reading and filling do without it while it is out of reach; the rest raises."""

    def __init__(self, redis: Redis, limit: int) -> None:
        self._redis = redis
        self._limit = limit
        self._push = redis.register_script(PUSH)
        self._fill = redis.register_script(FILL)
        self._me = new_id().bytes  # stands before whatever is told

    async def read(self, room_id: UUID, epoch: UUID) -> list[Encoded]:
        try:
            found: Any = await self._redis.lrange(_key(room_id), 0, self._limit - 1)  # of bytes
        except FAILURES:
            return []
        return _unbroken(found, epoch.hex.encode())

    async def fill(self, batch: Batch) -> None:
        if not batch.entries:
            return
        newest_first = [_element(batch.epoch, entry) for entry in reversed(batch.entries)]
        arguments: tuple[str | int | bytes, ...] = (
            batch.epoch.hex,
            batch.entries[-1].offset,
            KEPT_SECONDS,
            *newest_first,
        )
        try:
            await self._fill(keys=[_key(batch.room_id)], args=arguments)
        except FAILURES:
            return

    async def publish(self, batches: Sequence[Batch]) -> None:
        arguments: list[str | int | bytes] = [CHANNEL, self._me + _pack(batches), self._limit, KEPT_SECONDS]
        for batch in batches:
            rewrites = any(entry.kind in ("edited", "removed") for entry in batch.entries)
            arguments.append(-len(batch.entries) if rewrites else len(batch.entries))
            arguments += [_element(batch.epoch, entry) for entry in batch.entries]
        await self._push(keys=[_key(batch.room_id) for batch in batches], args=arguments)

    def heard(self, message: bytes) -> Sequence[Batch]:
        return () if message.startswith(self._me) else _unpack_batches(message[len(self._me) :])

    async def forget(self, room_id: UUID, offset: int) -> None:
        await self._redis.set(f"{_key(room_id)}:floor", offset, ex=KEPT_SECONDS)
        await self._redis.delete(_key(room_id))


def hot_history(ctx: Context[ChatSettings]) -> HotHistory:
    """Return the hot history of this deployment."""
    return NoHotHistory() if ctx.redis is None else RedisHotHistory(ctx.redis, ctx.settings.hot_history)


def _key(room_id: UUID) -> str:
    return f"{PREFIX}{room_id}"


def _element(epoch: UUID, entry: Encoded) -> bytes:
    return b"%s:%d:%s" % (epoch.hex.encode(), entry.offset, _pack(entry))


def _unbroken(newest_first: Sequence[bytes], epoch: bytes) -> list[Encoded]:
    """Return the entries of *epoch* up to the first hole, in their order."""
    found: list[Encoded] = []
    for element in newest_first:
        its_epoch, _, rest = element.partition(b":")
        offset, _, packed = rest.partition(b":")
        if its_epoch != epoch or (found and int(offset) != found[-1].offset - 1):
            break
        found.append(_unpack(packed))
    return found[::-1]
