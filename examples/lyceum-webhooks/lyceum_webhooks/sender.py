"""The sender: brings events to the endpoints, again and again while one is down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Final
from uuid import UUID

import aiohttp
import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, Unsealable, failpoint
from kernel.database import Command, Query, Session, Timestamp
from lyceum_webhooks import queue
from lyceum_webhooks.endpoints import Endpoints
from lyceum_webhooks.posting import Outcome, client, post
from lyceum_webhooks.queue import Claimed, Queue
from lyceum_webhooks.settings import WebhooksSettings
from lyceum_webhooks.signing import signed_headers
from lyceum_webhooks.tables import deliveries, endpoints, messages
from lyceum_webhooks.targets import Targets

CLEANING: Final = 3600.0  # seconds
LEASE_MARGIN: Final = timedelta(seconds=30)  # by which a claim outlasts its request
JITTER: Final = 0.1
FIRST_PAUSE: Final = 5.0  # seconds for which a busy receiver is left alone; each further time twice as long
LONGEST_PAUSE: Final = 300.0

SENT: Final = failpoint("webhooks.sent")  # the receiver has it, and nobody has written that down yet

_random: Final = SystemRandom()


class Parcel(msgspec.Struct, frozen=True):
    """What a delivery is made of."""

    url: str
    secret: str
    former_secret: str | None
    former_until: datetime | None
    failures: int
    type: str
    time: datetime
    data: bytes

    def body(self) -> bytes:
        """Return what is sent: the same bytes at each try."""
        return msgspec.json.encode({"type": self.type, "timestamp": self.time, "data": msgspec.Raw(self.data)})

    def sealed_keys(self, now: datetime) -> list[str]:
        """Return the secrets that sign now, the newest first."""
        former = self.former_secret if self.former_until and now < self.former_until else None
        return [self.secret, former] if former else [self.secret]


_THIS: Final = endpoints.c.id == bindparam("endpoint")
PARCEL: Final = Query(
    sa.select(
        *(endpoints.c[name] for name in Parcel.__struct_fields__[:5]),
        *(messages.c[name] for name in Parcel.__struct_fields__[5:]),
    )
    .select_from(deliveries)
    .join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
    .join(messages, messages.c.id == deliveries.c.message_id)
    .where(deliveries.c.id == bindparam("delivery")),
    Parcel,
)
#: Touches nothing where all is well, which is almost always.
RECOVERED: Final = Command(
    sa.update(endpoints)
    .where(_THIS, endpoints.c.failing_since.is_not(None))
    .values(failing_since=None, failures=0, paused_until=None)
)
FAILING: Final = Query(
    sa.update(endpoints)
    .where(_THIS)
    .values(
        failures=endpoints.c.failures + 1,
        failing_since=sa.func.coalesce(endpoints.c.failing_since, bindparam("now", type_=Timestamp())),
        paused_until=bindparam("pause", type_=Timestamp()),
    )
    .returning(endpoints.c.failing_since),
    datetime,
)


class Sender:
    """Sends from one process; several processes share the queue."""

    def __init__(self, ctx: Context[WebhooksSettings]) -> None:
        self._ctx = ctx
        self._settings = ctx.settings
        self._queue = ctx.own(Queue)
        self._endpoints = ctx.own(Endpoints)
        self._targets = targets_of(ctx)
        self._lease = timedelta(seconds=ctx.settings.timeout) + LEASE_MARGIN
        self._due = asyncio.Event()
        self._under_way: set[UUID] = set()

    def wake(self) -> None:
        """Have the sender look for deliveries now."""
        self._due.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with client(self._targets, self._settings.ca_file) as http:
            tasks = self._ctx.tasks
            tasks.every(self._settings.poll, lambda: self._begin_due(http), name="send webhooks", sooner=self._due)
            tasks.every(CLEANING, self._queue.forget, name="forget old webhooks")
            self._due.set()
            yield

    async def _begin_due(self, http: aiohttp.ClientSession) -> None:
        """Begin to send what is due, as far as there are free places; whatever ends looks for more."""
        if free := self._settings.at_once - len(self._under_way):
            for claimed in await self._queue.claim(free, self._lease):
                self._under_way.add(claimed.id)
                self._ctx.tasks.start(self._deliver(http, claimed), name="send a webhook")

    async def _deliver(self, http: aiohttp.ClientSession, claimed: Claimed) -> None:
        try:
            parcel = await self._ctx.db.first(PARCEL, delivery=claimed.id)
            if parcel is not None:  # else its endpoint was deleted
                outcome = await self._send(http, claimed, parcel)
                await SENT()
                await self._record(claimed, parcel, outcome)
        finally:
            self._under_way.discard(claimed.id)
            self._due.set()

    async def _send(self, http: aiohttp.ClientSession, claimed: Claimed, parcel: Parcel) -> Outcome:
        now, body = self._ctx.clock.now(), parcel.body()
        try:
            self._targets.check_url(parcel.url)  # the configuration may have changed since it was registered
            keys = [self._ctx.secrets.unseal(sealed).decode() for sealed in parcel.sealed_keys(now)]
        except (Unsealable, ValueError) as error:
            return Outcome(milliseconds=0, error=str(error))
        headers = {"Content-Type": "application/json", "User-Agent": "Lyceum-Webhooks/1.0"}
        headers |= signed_headers(keys, str(claimed.message_id), now, body)
        return await post(http, parcel.url, body, headers, within=self._settings.timeout, now=now)

    async def _record(self, claimed: Claimed, parcel: Parcel, outcome: Outcome) -> None:
        facts = {"delivery": str(claimed.id), "attempts": claimed.attempts, "status": outcome.status}
        async with self._ctx.db.transaction() as session:
            # The endpoint first, then deliveries, wherever both change: else two would wait for each other.
            if outcome.succeeded:
                await session.run(RECOVERED, endpoint=claimed.endpoint_id)
                await session.run(queue.FINISH, **self._result(claimed, outcome), now=self._ctx.clock.now())
            else:
                reason = await self._blame(session, claimed, parcel, outcome)
                await self._failed(session, claimed, outcome)
                if reason:
                    await self._endpoints.give_up(session, claimed.endpoint_id, reason)
        if outcome.succeeded:
            self._ctx.log.info("webhook delivered", action="webhook", **facts)
        else:
            self._ctx.log.warning("webhook not delivered", action="webhook", reason=outcome.error, **facts)

    async def _blame(self, session: Session, claimed: Claimed, parcel: Parcel, outcome: Outcome) -> str:
        """Write down that the endpoint fails, and leave it alone while it is busy; return why it is to be given up."""
        now, hours = self._ctx.clock.now(), self._settings.disable_after_hours
        alone = timedelta(seconds=max(pause_after(parcel.failures), outcome.retry_after))
        pause = now + alone if outcome.busy else None
        since = await session.first(FAILING, endpoint=claimed.endpoint_id, now=now, pause=pause)
        if outcome.gone:
            return "it answered 410 Gone"
        if since is not None and now - since > timedelta(hours=hours):
            return f"it failed for {hours:g} hours; last: {outcome.error}"
        return ""

    async def _failed(self, session: Session, claimed: Claimed, outcome: Outcome) -> None:
        """Have the delivery tried again, or give it up; nothing changes where another process has it by now."""
        result, now = self._result(claimed, outcome), self._ctx.clock.now()
        if claimed.attempts > len(self._settings.retries):
            await session.run(queue.GIVE_UP, **result, now=now)
            return
        delay = self._settings.retries[claimed.attempts - 1] * _random.uniform(1, 1 + JITTER)
        until = now + timedelta(seconds=max(delay, outcome.retry_after))
        await session.run(queue.POSTPONE, **result, until=until)

    @staticmethod
    def _result(claimed: Claimed, outcome: Outcome) -> dict[str, object]:
        return {
            "delivery": claimed.id,
            "of_claim": claimed.claim,
            "the_status": outcome.status,
            "the_milliseconds": outcome.milliseconds,
            "the_error": outcome.error,
            "the_excerpt": outcome.excerpt,
        }


def targets_of(ctx: Context[WebhooksSettings]) -> Targets:
    """Return where this deployment may deliver to."""
    return Targets(ctx.settings.networks(), development=ctx.deployment.development)


def pause_after(failures: int) -> float:
    """Return the seconds for which a receiver is left alone that was busy, after so many failures before."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * float(2 ** min(failures, 20)))
