"""Sessions: one for each sign-in, kept alive by refresh tokens that replace each other.

A token stays good until its successor is used for the first time, so that an answer which got lost does no harm:
presented again it gives another successor, and the first one, which nobody should have, is dead. Only within ten
seconds it gives the same one, for twins that ask at the same moment. Whoever presents a dead token has a copy, or the
other one has: the session ends, and its owner is told.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, Event, new_id
from kernel.contracts.auth import SessionRevoked, TokenRefused
from kernel.database import Command, Query, Session, Timestamp
from plugins.auth import refresh
from plugins.auth.accounts import ROLES, split_roles
from plugins.auth.messages import requested, reuse_message
from plugins.auth.publishing import publish_all
from plugins.auth.revocations import Revocations
from plugins.auth.settings import AuthSettings
from plugins.auth.tables import accounts, sessions

CLIENT_LENGTH: Final = 160  # characters of the User-Agent that are kept
#: Ended sessions are kept this long, so that reuse of their tokens is still seen and every process learns of them.
HISTORY: Final = timedelta(days=1)
#: Within which a token presented again gets the answer that it got before.
TWINS: Final = timedelta(seconds=10)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """From where somebody signs in."""

    address: str
    client: str  #: the User-Agent

    def shortened(self) -> str:
        printable = "".join(char if char.isprintable() else " " for char in self.client[:CLIENT_LENGTH])
        return printable.encode("utf-8", "replace").decode()


@dataclass(frozen=True, kw_only=True)
class Granted:
    """What a sign-in or a refresh gives: who, in which session, and the refresh token to keep."""

    account: UUID
    email: str
    roles: tuple[str, ...]
    session: UUID
    refresh_token: str
    expires_at: datetime  #: of the session


class SessionRow(msgspec.Struct, frozen=True):
    """A session and whose it is."""

    id: UUID
    account_id: UUID
    nonce: bytes
    generation: int
    parent: int
    rotated_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    email: str
    active: bool
    roles: str | None


class OwnSession(msgspec.Struct, frozen=True):
    """A session as its owner sees it."""

    id: UUID
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    address: str
    client: str


_now: Final = bindparam("now", type_=Timestamp())
_alive: Final = sa.and_(sessions.c.revoked_at.is_(None), sessions.c.expires_at > _now)

START: Final = Command(
    sa.insert(sessions).values(
        {name: bindparam(name) for name in ("id", "account_id", "nonce", "expires_at", "address", "client")}
        | {"generation": 1, "parent": 0, "created_at": _now, "used_at": _now, "rotated_at": _now}
    )
)

BY_ID: Final = Query(
    sa.select(
        *(sessions.c[name] for name in SessionRow.__struct_fields__[:8]),
        accounts.c.email,
        accounts.c.active,
        ROLES,
    )
    .join_from(sessions, accounts)
    .where(sessions.c.id == bindparam("session")),
    SessionRow,
)

#: Makes the next token for the holder of number `presented`, unless somebody made one since `generation` was read.
ROTATE: Final = Command(
    sa.update(sessions)
    .where(sessions.c.id == bindparam("session"), sessions.c.generation == bindparam("read"), _alive)
    .values(generation=sessions.c.generation + 1, parent=bindparam("presented"), used_at=_now, rotated_at=_now)
)

_own: Final = (
    sa.select(*(sessions.c[name] for name in OwnSession.__struct_fields__))
    .where(sessions.c.account_id == bindparam("account"), _alive)
    .order_by(sessions.c.id.desc())
    .limit(bindparam("limit"))
)
OWN: Final = Query(_own, OwnSession)
OWN_AFTER: Final = Query(_own.where(sessions.c.id < bindparam("after")), OwnSession)

_end: Final = sa.update(sessions).where(_alive).values(revoked_at=_now).returning(sessions.c.id, sessions.c.account_id)


class Ended(msgspec.Struct, frozen=True):
    """A session that ended just now."""

    id: UUID
    account_id: UUID


END_ONE: Final = Query(
    _end.where(sessions.c.id == bindparam("session"), sessions.c.account_id == bindparam("account")), Ended
)
END_OTHERS: Final = Query(
    _end.where(sessions.c.account_id == bindparam("account"), sessions.c.id != bindparam("but")), Ended
)
END_ALL: Final = Query(_end.where(sessions.c.account_id == bindparam("account")), Ended)

FORGET: Final = Command(
    sa.delete(sessions).where(
        sa.or_(sessions.c.expires_at < bindparam("before"), sessions.c.revoked_at < bindparam("before"))
    )
)


class Sessions:
    """Starts, continues and ends sessions."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._revocations = ctx.own(Revocations)

    async def start(self, session: Session, account: UUID, origin: Origin) -> tuple[UUID, str, datetime]:
        """Start a session of *account*; return its id, its first refresh token and when it expires."""
        new, nonce, now = new_id(), secrets.token_bytes(32), self._ctx.clock.now()
        expires_at = now + timedelta(days=self._ctx.settings.session_days)
        await session.run(
            START,
            id=new,
            account_id=account,
            nonce=nonce,
            expires_at=expires_at,
            address=origin.address,
            client=origin.shortened(),
            now=now,
        )
        return new, refresh.make(new, 1, nonce, self._ctx.secrets), expires_at

    async def refresh(self, token: str) -> Granted:
        """Return the tokens that follow *token*.

        Raises:
            TokenRefused: it is no token of ours, its session is over, or it was replaced and its successor used, which
                ends the session too.
        """
        presented = refresh.parse(token)
        if presented is None:
            raise TokenRefused
        found = await self._ctx.db.first(BY_ID, session=presented.session)
        if found is None or not presented.proved(found.nonce, self._ctx.secrets):
            raise TokenRefused
        if not found.active or found.revoked_at is not None or found.expires_at <= self._now:
            raise TokenRefused
        if presented.generation not in (found.generation, found.parent):
            await self._reused(found)
            raise TokenRefused
        if presented.generation == found.parent and self._now - found.rotated_at <= TWINS:
            return self._granted(found, found.generation)
        if not await self._ctx.db.run(
            ROTATE, session=found.id, read=found.generation, presented=presented.generation, now=self._now
        ):
            return await self.refresh(token)  # a twin was faster, or the session ended: look again
        return self._granted(found, found.generation + 1)

    async def own(self, account: UUID, *, limit: int, after: UUID | None) -> list[OwnSession]:
        """Return the living sessions of *account*, the newest first, at most *limit*, those older than *after*."""
        now = self._ctx.clock.now()
        if after is None:
            return await self._ctx.db.all(OWN, account=account, now=now, limit=limit)
        return await self._ctx.db.all(OWN_AFTER, account=account, now=now, limit=limit, after=after)

    async def end(self, session: Session, account: UUID, ending: UUID, reason: str) -> bool:
        """End the session *ending* of *account*; return whether there was such a living one."""
        ended = await session.all(END_ONE, session=ending, account=account, now=self._now)
        await self._ended(session, ended, reason)
        return bool(ended)

    async def end_others(self, session: Session, account: UUID, but: UUID) -> None:
        """End all sessions of *account* except *but*."""
        await self._ended(session, await session.all(END_OTHERS, account=account, but=but, now=self._now), "sign-out")

    async def end_all(self, session: Session, account: UUID, reason: str) -> None:
        """End all sessions of *account*."""
        await self._ended(session, await session.all(END_ALL, account=account, now=self._now), reason)

    async def forget(self) -> None:
        """Delete sessions that ended long ago."""
        await self._ctx.db.run(FORGET, before=self._now - HISTORY)

    @property
    def _now(self) -> datetime:
        return self._ctx.clock.now()

    async def _ended(self, session: Session, ended: list[Ended], reason: str, *more: Event) -> None:
        told = [SessionRevoked(user_id=one.account_id, session_id=one.id, reason=reason) for one in ended]
        await publish_all(self._ctx, session, [*told, *more])
        self._revocations.end(session, [one.id for one in ended])

    async def _reused(self, row: SessionRow) -> None:
        message = reuse_message(row.email, deployment=self._ctx.deployment.name)
        async with self._ctx.db.transaction() as session:
            ended = await session.all(END_ONE, session=row.id, account=row.account_id, now=self._now)
            if ended:
                await self._ended(session, ended, "reuse", requested(self._ctx, message))
        self._ctx.log.warning(
            "refresh token used twice", action="refresh", session=str(row.id), user=str(row.account_id)
        )

    def _granted(self, row: SessionRow, generation: int) -> Granted:
        return Granted(
            account=row.account_id,
            email=row.email,
            roles=tuple(sorted(split_roles(row.roles))),
            session=row.id,
            refresh_token=refresh.make(row.id, generation, row.nonce, self._ctx.secrets),
            expires_at=row.expires_at,
        )
