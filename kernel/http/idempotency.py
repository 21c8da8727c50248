"""Idempotency keys: a request that is sent twice happens once, and is answered twice alike.

A key belongs to a person and a route. Its row is claimed and its answer is stored in the transaction of the handler,
so there is never a change without its answer nor an answer without its change. A request that fails leaves nothing:
its repetition runs again. A twin that runs at the same moment is refused (PostgreSQL) or waits and is answered from
the row (SQLite, whose writers queue).
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from aiohttp import web
from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite

from kernel.clock import Clock
from kernel.database import Command, Database, Query, Session
from kernel.database.tables import idempotency as kept
from kernel.http import problems
from kernel.http.answers import Reply

RETENTION: Final = timedelta(hours=24)
#: Says of an answer that it repeats the first one; a handler that keeps its keys itself sends it with a repeat.
REPLAYED: Final = {"Idempotency-Replayed": "true"}
CLEANING_BATCH: Final = 1000  # rows

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_IDENTIFYING: Final = (kept.c.subject, kept.c.route, kept.c.key)
_CLAIMED: Final = (*_IDENTIFYING, kept.c.request_hash, kept.c.created_at)
_VALUES: Final = [bindparam(column.name, type_=column.type) for column in _CLAIMED]
_THIS: Final = sa.and_(*(column == bindparam(f"this_{column.name}", type_=column.type) for column in _IDENTIFYING))

#: A transaction-level lock tells a running twin without waiting for it, as the unique key alone would.
_UNLESS_TWIN_RUNS: Final = sa.func.pg_try_advisory_xact_lock(bindparam("lock", type_=sa.BigInteger()))

#: Returns the key if the claim succeeded, no row if it is taken or its twin is running.
CLAIM: Final = {
    "postgresql": Query(
        postgresql.insert(kept)
        .from_select([column.name for column in _CLAIMED], sa.select(*_VALUES).where(_UNLESS_TWIN_RUNS))
        .on_conflict_do_nothing()
        .returning(kept.c.key),
        str,
    ),
    "sqlite": Query(
        sqlite.insert(kept)
        .values({column.name: value for column, value in zip(_CLAIMED, _VALUES, strict=True)})
        .on_conflict_do_nothing()
        .returning(kept.c.key),
        str,
    ),
}


class FirstAnswer(msgspec.Struct, frozen=True):
    """What is stored for a key."""

    request_hash: bytes
    status: int
    headers: dict[str, str]
    body: bytes


FIRST_ANSWER: Final = Query(
    sa.select(kept.c.request_hash, kept.c.status, kept.c.headers, kept.c.body).where(_THIS), FirstAnswer
)

KEEP: Final = Command(
    sa.update(kept)
    .where(_THIS)
    .values({name: bindparam(name, type_=kept.c[name].type) for name in ("status", "headers", "body")})
)

FORGET: Final = Command(
    sa.delete(kept).where(
        sa.tuple_(*_IDENTIFYING).in_(
            sa.select(*_IDENTIFYING)
            .where(kept.c.created_at < bindparam("before", type_=kept.c.created_at.type))
            .limit(CLEANING_BATCH)
        )
    )
)


def key_of(http: web.Request) -> str | None:
    """Return the request's idempotency key, None when it has none.

    Raises:
        problems.BadRequest: the header is not 1 to 255 visible ASCII characters.
    """
    key = http.headers.get("Idempotency-Key")
    if key is not None and _KEY.fullmatch(key) is None:
        raise problems.BadRequest("The header Idempotency-Key holds 1 to 255 visible ASCII characters.")
    return key


class Claim:
    """One request's hold on its key."""

    def __init__(self, *, subject: UUID, route: str, key: str, request_hash: bytes) -> None:
        self._row = {"subject": subject, "route": route, "key": key}
        self._this = {f"this_{name}": value for name, value in self._row.items()}
        self._hash = request_hash
        self._lock = int.from_bytes(_digest(f"{subject} {route} {key}".encode())[:8], "big", signed=True)

    async def take(self, session: Session, dialect: str, clock: Clock) -> Reply | None:
        """Claim the key in the transaction of *session*; return the first answer if there is one already.

        Raises:
            problems.IdempotencyKeyReused: the key came before with another request.
            problems.RequestInProgress: the same request is running.
        """
        values: dict[str, object] = {**self._row, "request_hash": self._hash, "created_at": clock.now()}
        if dialect == "postgresql":
            values["lock"] = self._lock
        if await session.first(CLAIM[dialect], **values) is not None:
            return None
        first = await session.first(FIRST_ANSWER, **self._this)
        if first is None:
            raise problems.RequestInProgress(
                "Wait for its answer, or repeat it in a moment.", headers={"Retry-After": "1"}
            )
        return self._again(first)

    async def answered(self, db: Database) -> Reply | None:
        """Return the first answer if there is one by now; nothing is claimed.

        Raises:
            problems.IdempotencyKeyReused: the key came before with another request.
        """
        first = await db.first(FIRST_ANSWER, **self._this)
        return None if first is None else self._again(first)

    def _again(self, first: FirstAnswer) -> Reply:
        if first.request_hash != self._hash:
            raise problems.IdempotencyKeyReused("Choose a new key for a new request.")
        return Reply(first.status, first.body, {**first.headers, **REPLAYED})

    async def keep(self, session: Session, reply: Reply) -> None:
        """Store *reply* as the first answer. Cookies are not stored: they hold secrets."""
        await session.run(KEEP, **self._this, status=reply.status, headers=dict(reply.headers), body=reply.body)


def request_hash(http: web.Request, body: bytes) -> bytes:
    """Return what tells this request from another with the same key."""
    return _digest(b"\0".join((http.method.encode(), http.raw_path.encode(), body)))


async def forget_old_answers(db: Database, clock: Clock) -> int:
    """Delete the answers older than `RETENTION`, a batch at a time; return their number. Run it every few minutes."""
    before, total = clock.now() - RETENTION, 0
    while deleted := await db.run(FORGET, before=before):
        total += deleted
    return total


def _digest(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=16).digest()
