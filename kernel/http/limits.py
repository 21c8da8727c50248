"""Rate limits: moving windows of the `limits` package, in this process or in Redis.

What a route declares is counted in Redis where there is one, so that all processes share one figure. While Redis
does not answer, each process counts for itself at the same figures and asks Redis again every `RETRY_SECONDS`:
a limit is never simply off. Routes without limits, which is to say nearly all reads, do not notice.

The general limit on unsafe requests protects the process itself, so it is always counted in the process.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from math import ceil
from typing import Any, Final

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis
from redis.exceptions import RedisError
from structlog.typing import FilteringBoundLogger

from kernel.http import problems
from kernel.http.routes import RateLimit

REDIS_SECONDS: Final = 0.5  # that Redis has for an answer
RETRY_SECONDS: Final = 5.0
CLEANING_PERIOD: Final = 4096  # hits

parse_rate = parse


class MemoryWindows(MemoryStorage):
    """Moving windows in memory. Those of `limits` itself walk over all keys, with a thread for each, at every hit."""

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, tuple[array[float], int]] = {}  # of times, which take 8 bytes each there
        self._hits = 0

    def __len__(self) -> int:
        return len(self._windows)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count *amount* hits, unless the window would hold more than *limit* of them."""
        return self.take(key, limit, expiry, amount)

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return the time of the oldest hit in the window, and their number."""
        window = self._window(key, expiry)
        return (window[0] if window else time.time()), len(window)

    def take(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Do what `acquire_entry` does, at once."""
        window = self._window(key, expiry)
        if len(window) + amount > limit:
            return False
        window.extend((time.time(),) * amount)
        return True

    def reset_in(self, key: str, expiry: int) -> int:
        """Return the seconds until the oldest hit leaves the window."""
        window = self._window(key, expiry)
        return max(ceil(window[0] + expiry - time.time()), 1) if window else 1

    def _window(self, key: str, expiry: int) -> array[float]:
        self._hits += 1
        if self._hits % CLEANING_PERIOD == 0:
            self._forget_old_windows()
        known = self._windows.get(key)
        if known is None:
            known = self._windows[key] = (array("d"), expiry)
        window = known[0]
        if window and window[0] <= (earliest := time.time() - expiry):
            del window[: bisect_right(window, earliest)]
        return window

    def _forget_old_windows(self) -> None:
        now = time.time()
        live = {key: (hits, age) for key, (hits, age) in self._windows.items() if hits and hits[-1] > now - age}
        self._windows = live


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands with one limit."""

    allowed: bool
    remaining: int
    reset: int  #: seconds until the oldest hit leaves the window


class Limiter:
    """Counts hits: in Redis where there is one and it answers, else in memory."""

    def __init__(self, redis: Redis | None, log: FilteringBoundLogger) -> None:
        self.here = MemoryWindows()  #: of this process
        self._memory = MovingWindowRateLimiter(self.here)
        self._shared = _redis_limiter(redis) if redis is not None else None
        self._log = log
        self._redis_failed = False
        self._retry_at = 0.0

    async def hit(self, item: RateLimitItem, key: str) -> Standing:
        """Count one hit of *key*, in Redis if there is one, and say where it stands."""
        if self._shared is not None and (not self._redis_failed or time.monotonic() >= self._retry_at):
            try:
                async with asyncio.timeout(REDIS_SECONDS):
                    standing = await _hit(self._shared, item, key)
            except (RedisError, OSError, TimeoutError) as error:
                self._fall_back(error)
            else:
                self._recover()
                return standing
        return await _hit(self._memory, item, key)

    def _fall_back(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if not self._redis_failed:
            self._redis_failed = True
            self._log.warning("rate limits count in this process only", action="limits-fallback", reason=repr(error))

    def _recover(self) -> None:
        if self._redis_failed:
            self._redis_failed = False
            self._log.info("rate limits are shared again", action="limits-recovered")


def _redis_limiter(redis: Redis) -> MovingWindowRateLimiter:
    pool: Any = redis.connection_pool  # `limits` takes one, but annotates its options as plain values
    return MovingWindowRateLimiter(RedisStorage("async+redis://", implementation="redispy", connection_pool=pool))


async def _hit(limiter: MovingWindowRateLimiter, item: RateLimitItem, key: str) -> Standing:
    allowed = await limiter.hit(item, key)
    stats = await limiter.get_window_stats(item, key)
    return Standing(allowed, max(stats.remaining, 0), max(ceil(stats.reset_time - time.time()), 1))


class RouteLimits:
    """The limits of one route that go *by* the same thing."""

    def __init__(self, route: str, plugin: str, limits: Sequence[RateLimit], limiter: Limiter) -> None:
        self._limiter = limiter
        counted = [f"{plugin}:{limit.scope}" if limit.scope else route for limit in limits]
        self._items = [
            (limit.rate, parse(limit.rate), f"{name} {limit.rate}") for name, limit in zip(counted, limits, strict=True)
        ]
        self._policy = ", ".join(f'"{rate}";q={item.amount};w={item.get_expiry()}' for rate, item, _ in self._items)

    async def check(self, caller: str) -> dict[str, str]:
        """Count a request of *caller*; return the headers that tell where it stands.

        Raises:
            problems.TooManyRequests: a limit is reached.
        """
        told = []
        for rate, item, name in self._items:
            standing = await self._limiter.hit(item, f"{name} {caller}")
            told.append(f'"{rate}";r={standing.remaining};t={standing.reset}')
            if not standing.allowed:
                raise _too_many(rate, standing.reset, {"RateLimit": told[-1], "RateLimit-Policy": self._policy})
        return {"RateLimit": ", ".join(told), "RateLimit-Policy": self._policy}


@dataclass(frozen=True)
class MemberLimits:
    """The limits on those requests to one route whose body has a *member*."""

    member: str
    by_address: RouteLimits | None
    by_caller: RouteLimits | None

    async def check(self, body: object, address: str, caller: str) -> dict[str, str]:
        """Count a request with this *body*, if it has the member; return the headers that tell where it stands.

        Raises:
            problems.TooManyRequests: a limit is reached.
        """
        told: dict[str, str] = {}
        if getattr(body, self.member) is None:
            return told
        if self.by_address is not None:
            told |= await self.by_address.check(address)
        if self.by_caller is not None:
            told |= await self.by_caller.check(caller)
        return told


class GeneralLimit:
    """The limit on all unsafe requests together, in this process."""

    def __init__(self, rate: str, limiter: Limiter) -> None:
        item = parse(rate)
        self._rate, self._limit, self._seconds = rate, item.amount, item.get_expiry()
        self._windows = limiter.here

    def check(self, caller: str) -> None:
        """Count a request of *caller*.

        Raises:
            problems.TooManyRequests: the limit is reached.
        """
        if not self._windows.take(caller, self._limit, self._seconds):
            raise _too_many(self._rate, self._windows.reset_in(caller, self._seconds), {})


def _too_many(rate: str, reset: int, headers: dict[str, str]) -> problems.TooManyRequests:
    detail = f"The limit is {rate}; come back in {reset} s."
    return problems.TooManyRequests(detail, headers={"Retry-After": str(reset), **headers})


def address_key(address: str) -> str:
    """Return what stands for *address* in a limit: an IPv6 customer has a whole /64."""
    return str(ip_network((address, 64), strict=False)) if ":" in address else address
