"""Tickets: what a page has in place of a header, which browsers can not set for a WebSocket.

A ticket opens one connection, or renews one, within thirty seconds. It stands in the address of the handshake, which
proxies may log; so it says nothing, is kept as a digest, and is gone with its first use in whichever process.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.clock import Clock
from kernel.http import problems
from kernel.http.principal import Principal
from kernel.http.request import Request
from kernel.http.routes import SIGNED_IN, Idempotency, RateLimit, Route, post

LIFE: Final = 30  # seconds
PREFIX: Final = "socket-ticket:"
MOUNT: Final = "sockets"
_RATE: Final = RateLimit("60/minute")


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What opens one WebSocket, as `?ticket=…`."""

    ticket: str
    expires_in: int  #: seconds


class Tickets:
    """The tickets of a deployment: in Redis where there is one, else in this process."""

    def __init__(self, redis: Redis | None, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._kept: dict[str, tuple[Principal, datetime]] = {}
        self._sets: dict[frozenset[str], frozenset[str]] = {}  # one object for all with the same roles

    def routes(self) -> tuple[Route, ...]:
        """Return the route that hands them out."""
        limits = (_RATE,)
        return (
            post(
                "/tickets",
                self.hand_out,
                permission=SIGNED_IN,
                status=201,
                rate_limits=limits,
                idempotency=Idempotency.NONE,
            ),
        )

    async def hand_out(self, request: Request) -> Ticket:
        """Get a ticket that opens one WebSocket, for clients that can not set headers."""
        return Ticket(ticket=await self.issue(request.principal), expires_in=LIFE)

    async def issue(self, principal: Principal) -> str:
        """Return a new ticket for *principal*.

        Raises:
            problems.Unavailable: Redis does not answer.
        """
        ticket = secrets.token_urlsafe(32)
        key = _key(ticket)
        if self._redis is None:
            self._forget()
            self._kept[key] = (principal, self._clock.now() + timedelta(seconds=LIFE))
            return ticket
        try:
            await self._redis.set(key, msgspec.json.encode(principal), ex=LIFE)
        except (RedisError, OSError, TimeoutError) as error:
            raise _unavailable() from error
        return ticket

    async def redeem(self, ticket: str) -> Principal:
        """Return whose *ticket* it is, and have it be nobody's.

        Raises:
            problems.NotSignedIn: it was used, is too old or was never issued.
            problems.Unavailable: Redis does not answer.
        """
        found = await self._taken(_key(ticket)) if ticket else None
        if found is None:
            raise problems.NotSignedIn("The ticket is not good (any more); get a new one for each connection.")
        return found

    async def _taken(self, key: str) -> Principal | None:
        if self._redis is None:
            kept = self._kept.pop(key, None)
            return kept[0] if kept is not None and kept[1] > self._clock.now() else None
        try:
            found = await self._redis.getdel(key)
        except (RedisError, OSError, TimeoutError) as error:
            raise _unavailable() from error
        return None if found is None else self._shared(msgspec.json.decode(found, type=Principal))

    def _shared(self, principal: Principal) -> Principal:
        """Return *principal* with the sets that others with the same have too: a thousand would fill megabytes."""
        return Principal(
            id=principal.id,
            session=principal.session,
            roles=self._sets.setdefault(principal.roles, principal.roles),
            permissions=self._sets.setdefault(principal.permissions, principal.permissions),
            actor=principal.actor,
            expires=principal.expires,
        )

    def _forget(self) -> None:
        now = self._clock.now()
        for key in [key for key, (_, expires) in self._kept.items() if expires <= now]:
            del self._kept[key]


def _key(ticket: str) -> str:
    return PREFIX + hashlib.sha256(ticket.encode(errors="surrogateescape")).hexdigest()


def _unavailable() -> problems.Unavailable:
    return problems.Unavailable("Tickets can not be kept now; try again in a moment.", headers={"Retry-After": "5"})
