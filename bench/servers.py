"""The PostgreSQL that all stacks of one comparison share: durable, and with memory enough to hold everything."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

import asyncpg

from kernel.testing.servers import PostgresServer, postgres

SETTINGS: Final = (
    "shared_buffers=1GB",
    "effective_cache_size=4GB",
    "max_wal_size=8GB",
    "checkpoint_timeout=30min",
    "random_page_cost=1.1",
)


@contextlib.contextmanager
def bench_postgres() -> Iterator[PostgresServer]:
    """Start it with the empty databases `peers` and `lyceum`."""
    with postgres(durable=True, settings=SETTINGS) as server:
        asyncio.run(_create_databases(server))
        yield server


async def _create_databases(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        for name in ("peers", "lyceum"):
            await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
