"""Looking for values in everything that a deployment stores, sealed or not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from redis.asyncio import Redis

from kernel import Secrets, Unsealable
from kernel.testing.deployment import Deployment

#: How what `Secrets.seal` returns begins.
_SEALED: Final = re.compile(rb"gAAAAA[A-Za-z0-9_=-]+")


async def places_of(deployment: Deployment, values: Iterable[str]) -> dict[str, set[str]]:
    """Return value → where it is found: `plugin.table.column`, the name of a file, or a key of Redis."""
    wanted = {value: value.lower().encode() for value in values}
    found: dict[str, set[str]] = {value: set() for value in wanted}
    secrets = deployment.platform.context("privacy").secrets
    async for place, content in _contents(deployment):
        readable = b"\n".join(_opened(content, secrets)).lower()
        for value, needle in wanted.items():
            if needle in readable:
                found[value].add(place)
    return found


async def rows_of(deployment: Deployment, user: object) -> dict[str, list[str]]:
    """Return table → its rows that hold the id *user*, of all tables of all plugins but the kernel's."""
    found: dict[str, list[str]] = {}
    async for table, rows in _tables(deployment):
        if table.rpartition(".")[2] not in ("outbox", "inbox", "idempotency"):
            found[table] = sorted(str(dict(row)) for row in rows if str(user) in str(dict(row)))
    return {table: rows for table, rows in found.items() if rows}


async def _contents(deployment: Deployment) -> AsyncIterator[tuple[str, bytes]]:
    async for table, rows in _tables(deployment):
        for row in rows:
            for column, value in row.items():
                yield f"{table}.{column}", _bytes(value)
    url = deployment._place.database
    if url.startswith("sqlite"):
        for file in Path(url.removeprefix("sqlite:///")).iterdir():  # noqa: ASYNC240
            yield file.name, file.read_bytes()
    if deployment._place.redis:
        async with Redis.from_url(deployment._place.redis) as redis:
            async for key in redis.scan_iter():
                yield f"redis {key.decode()}", key + _bytes(await _value(redis, key))


async def _tables(deployment: Deployment) -> AsyncIterator[tuple[str, Sequence[Any]]]:
    for member in deployment.platform.states():
        if member.running is None:
            continue
        async with member.running.database.engine().connect() as connection:
            names = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
            for name in names:
                rows = (await connection.execute(sa.text(f'SELECT * FROM "{name}"'))).mappings().all()
                yield f"{member.name}.{name}", rows


async def _value(redis: Redis, key: bytes) -> object:
    match await redis.type(key):
        case b"stream":
            return await redis.xrange(key)
        case b"zset":
            return await redis.zrange(key, 0, -1)
        case b"list":
            return await redis.lrange(key, 0, -1)
        case b"hash":
            return await redis.hgetall(key)
        case b"set":
            return await redis.smembers(key)
        case _:
            return await redis.get(key)


def _opened(content: bytes, secrets: Secrets) -> Iterable[bytes]:
    yield content
    for sealed in _SEALED.findall(content):
        try:
            yield secrets.unseal(sealed.decode())
        except Unsealable:
            continue  # cut off by the end of a page


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    if isinstance(value, list | tuple | set):
        return b" ".join(map(_bytes, value))
    if isinstance(value, dict):
        return b" ".join(_bytes(item) for pair in value.items() for item in pair)
    return str(value).encode()
