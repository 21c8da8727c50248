"""One-time codes: who may have one, and who may use it.

A code has six digits, lives five minutes, allows five tries and is good for one sign-in. An address gets one mail a
minute and five an hour; twenty wrong codes in a day close it for codes until the day is over, and every five of them
double the wait for the next code. So a guess has a chance of 20 in a million a day. Nothing here looks at accounts:
a known and an unknown address are the same in what they get and in how long it takes.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, problems
from kernel.contracts.auth import CodeRefused
from kernel.database import Command, Guarded, Query, Session, Timestamp, outbox_follow
from plugins.auth.messages import code_message, requested
from plugins.auth.settings import AuthSettings
from plugins.auth.tables import addresses

DIGITS: Final = 6
LIFE: Final = timedelta(minutes=5)
TRIES: Final = 5
BETWEEN_MAILS: Final = timedelta(seconds=60)
HOUR: Final = timedelta(hours=1)  # in which an address gets as many mails as `addresses` has `sent_` columns
FAILURES: Final = 20
DAY: Final = timedelta(days=1)
BACK_OFF_EVERY: Final = 5  # failures

_now: Final = bindparam("now", type_=Timestamp())
_hour_ago: Final = bindparam("hour_ago", type_=Timestamp())
_day_ago: Final = bindparam("day_ago", type_=Timestamp())

_PUT: Final = insert(addresses).values(
    {name: bindparam(name) for name in ("email", "challenge_id", "code_mac", "expires_at", "next_at")}
    | {"sent_1": _now, "failing_since": _now, "attempts": 0, "failures": 0}
)
#: Gives the address its new code, which makes the older one worthless, unless a limit is reached.
PUT_CODE: Final = Guarded(
    _PUT.on_conflict_do_update(
        index_elements=["email"],
        set_={name: _PUT.excluded[name] for name in ("challenge_id", "code_mac", "expires_at", "next_at", "attempts")}
        | {f"sent_{number}": addresses.c[f"sent_{number - 1}"] for number in range(5, 1, -1)}
        | {"sent_1": _PUT.excluded.sent_1, "used_at": sa.null()},
        where=sa.and_(
            addresses.c.next_at <= _now,
            sa.or_(addresses.c.sent_5.is_(None), addresses.c.sent_5 <= _hour_ago),
            sa.or_(addresses.c.failures < FAILURES, addresses.c.failing_since <= _day_ago),
        ),
    ).returning(addresses.c.email),
    str,
    [outbox_follow()],
)


class Limits(msgspec.Struct, frozen=True):
    """What stands between an address and its next code."""

    next_at: datetime
    sent_5: datetime | None
    failures: int
    failing_since: datetime


LIMITS: Final = Query(
    sa.select(*(addresses.c[name] for name in Limits.__struct_fields__)).where(addresses.c.email == bindparam("email")),
    Limits,
)


class Challenge(msgspec.Struct, frozen=True):
    """What a try is compared with."""

    email: str
    code_mac: bytes
    failures: int


_old: Final = sa.or_(addresses.c.failures == 0, addresses.c.failing_since <= _day_ago)
#: Decides whether there may be a try at all, and counts it as a failure before anybody knows how it ends.
TRY_CODE: Final = Query(
    sa.update(addresses)
    .where(
        addresses.c.challenge_id == bindparam("challenge"),
        addresses.c.used_at.is_(None),
        addresses.c.attempts < TRIES,
        addresses.c.expires_at > _now,
        sa.or_(addresses.c.failures < FAILURES, _old),
    )
    .values(
        attempts=addresses.c.attempts + 1,
        failures=sa.case((_old, 1), else_=addresses.c.failures + 1),
        failing_since=sa.case((_old, _now), else_=addresses.c.failing_since),
    )
    .returning(addresses.c.email, addresses.c.code_mac, addresses.c.failures),
    Challenge,
)

USE_CODE: Final = Command(
    sa.update(addresses)
    .where(addresses.c.challenge_id == bindparam("challenge"), addresses.c.used_at.is_(None))
    .values(used_at=_now, failures=addresses.c.failures - 1)
)

BACK_OFF: Final = Command(
    sa.update(addresses)
    .where(addresses.c.challenge_id == bindparam("challenge"), addresses.c.next_at < bindparam("until"))
    .values(next_at=bindparam("until"))
)

FORGET: Final = Command(sa.delete(addresses).where(addresses.c.sent_1 < bindparam("before")))


class Codes:
    """Gives out codes and takes them back."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx

    async def send(self, email: str) -> UUID:
        """Send a code to *email*, which ends every older one; return the challenge that it answers.

        Raises:
            problems.TooManyRequests: the address had its share; the answer says when to come back.
        """
        challenge, code = _random_id(), _random_code()
        now = self._ctx.clock.now()
        name = self._ctx.deployment.name
        message = code_message(email, code, deployment=name, minutes=int(LIFE.total_seconds()) // 60)
        sent = await self._ctx.db.guarded(
            PUT_CODE,
            email=email,
            challenge_id=challenge,
            code_mac=self._mac(challenge, code),
            expires_at=now + LIFE,
            next_at=now + BETWEEN_MAILS,
            now=now,
            hour_ago=now - HOUR,
            day_ago=now - DAY,
            **self._ctx.events.row(requested(self._ctx, message)),
        )
        if sent is None:
            raise await self._too_many(email, now)
        self._ctx.events.announce()
        return challenge

    async def try_(self, challenge: UUID, code: str) -> str:
        """Return the address that *code* was sent to; the try counts, whatever comes of it.

        Raises:
            CodeRefused: the code is wrong, expired, used or tried too often, or there is no such challenge.
        """
        now = self._ctx.clock.now()
        found = await self._ctx.db.first(TRY_CODE, challenge=challenge, now=now, day_ago=now - DAY)
        if found is None:
            raise CodeRefused
        if not hmac.compare_digest(found.code_mac, self._mac(challenge, code)):
            await self._back_off(challenge, now, found.failures)
            raise CodeRefused
        return found.email

    async def use(self, session: Session, challenge: UUID) -> None:
        """Use the code of *challenge* up, together with what *session* does.

        Raises:
            CodeRefused: somebody was faster.
        """
        if await session.run(USE_CODE, challenge=challenge, now=self._ctx.clock.now()) != 1:
            raise CodeRefused

    async def forget(self) -> None:
        """Delete addresses that no limit concerns any more."""
        await self._ctx.db.run(FORGET, before=self._ctx.clock.now() - DAY - LIFE)

    def _mac(self, challenge: UUID, code: str) -> bytes:
        return self._ctx.secrets.digest("sign-in-code", challenge.bytes + code.encode())

    async def _back_off(self, challenge: UUID, now: datetime, failures: int) -> None:
        if doublings := failures // BACK_OFF_EVERY:
            await self._ctx.db.run(BACK_OFF, challenge=challenge, until=now + BETWEEN_MAILS * 2**doublings)

    async def _too_many(self, email: str, now: datetime) -> problems.TooManyRequests:
        limits = await self._ctx.db.first(LIMITS, email=email)
        seconds = max(1, round(_wait(limits, now).total_seconds())) if limits else 1
        return problems.TooManyRequests(
            "Codes for this address were asked for too often; use the newest one or come back later.",
            headers={"Retry-After": str(seconds)},
        )


def _wait(limits: Limits, now: datetime) -> timedelta:
    waits = [limits.next_at - now]
    if limits.sent_5 is not None:
        waits.append(limits.sent_5 + HOUR - now)
    if limits.failures >= FAILURES:
        waits.append(limits.failing_since + DAY - now)
    return max(waits)


def _random_id() -> UUID:
    return UUID(bytes=secrets.token_bytes(16))


def _random_code() -> str:
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
