"""The Redis clients of a deployment: one for each plugin, so that none can starve another."""

from __future__ import annotations

from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from kernel import errors

CONNECTIONS: Final = 16  # at most, for each plugin in each process
OWNER: Final = "lyceum:deployment"  # the key under which it stands whose the Redis database is
ANSWER_LIMIT: Final = 5.0  # seconds to wait for an answer; blocking reads need a client of their own


class RedisClients:
    """Makes clients for *url*; without one there is no Redis and no client."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._clients: list[Redis] = []
        self.shared = self.client()  #: the kernel's own

    def client(self) -> Redis | None:
        """Return a new client, which connects at its first use."""
        if self._url is None:
            return None
        # blocking: whoever comes when all are taken waits for one, where the ordinary pool would raise
        pool = BlockingConnectionPool.from_url(
            self._url, max_connections=CONNECTIONS, timeout=ANSWER_LIMIT, socket_timeout=ANSWER_LIMIT
        )
        client = Redis.from_pool(pool)
        self._clients.append(client)
        return client

    async def check(self) -> None:
        """Make sure that Redis answers: configured and unusable is a mistake, not a reason to go without.

        Raises:
            errors.StartFailed: it does not.
        """
        if self.shared is None:
            return
        try:
            await self.shared.ping()
        except (RedisError, OSError) as error:
            raise errors.StartFailed(
                f"Redis does not answer ({error}); start it, or mend or remove [redis] url"
            ) from error

    async def claim(self, owner: str) -> None:
        """Take the Redis database for the deployment *owner*, whose processes share it; two would mix their events.

        Raises:
            errors.StartFailed: it is another deployment's.
        """
        if self.shared is None:
            return
        await self.shared.set(OWNER, owner, nx=True)
        if await self.shared.get(OWNER) != owner.encode():
            raise errors.StartFailed(
                "the Redis database of [redis] url belongs to another deployment (another secret or [database] url); "
                f"choose another one (…/1), or delete its key {OWNER!r} if this deployment was moved"
            )

    async def close(self) -> None:
        """Close every client."""
        for client in self._clients:
            await client.aclose()
