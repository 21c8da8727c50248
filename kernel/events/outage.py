"""Redis out of reach: logged once, tried again with growing delays; and the client for reads that block."""

from __future__ import annotations

import time
from typing import Final

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from structlog.typing import FilteringBoundLogger

#: What a use of Redis raises while the server is out of reach.
FAILURES: Final = (RedisError, OSError, TimeoutError)
SEND_LIMIT: Final = 2.0  # seconds for one command

FIRST_DELAY: Final = 0.1  # seconds
LONGEST_DELAY: Final = 5.0  # seconds


class Outage:
    """The present outage of one use of Redis, if there is one."""

    def __init__(self, use: str, log: FilteringBoundLogger) -> None:
        self.log = log
        self._use = use
        self._failures = 0
        self._again = 0.0

    def over(self) -> bool:
        """Return whether it is worth trying."""
        return time.monotonic() >= self._again

    def failed(self, error: Exception) -> float:
        """Take note that a try failed; return the seconds until the next."""
        if self._failures == 0:
            self.log.warning("redis is out of reach", action="redis.lost", use=self._use, error=repr(error))
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._again = time.monotonic() + delay
        return delay

    def ended(self) -> None:
        """Take note that a try succeeded."""
        if self._failures:
            self.log.info("redis is back", action="redis.back", use=self._use)
        self._failures = 0


def own_client(redis: Redis) -> Redis:
    """Return a client to the same server for reads that block: without a socket timeout, without retries of its own."""
    pool = redis.connection_pool
    changes = {"socket_timeout": None, "retry": Retry(NoBackoff(), 0), "decode_responses": False}
    return Redis(
        connection_pool=ConnectionPool(
            connection_class=pool.connection_class, **(pool.connection_kwargs | changes | {"legacy_responses": True})
        )
    )
