"""Sessions: one for each sign-in, seen and ended by its owner."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, Request, new_id
from kernel.contracts.auth import SessionRevoked
from kernel.database import Command, Query, Session, Timestamp
from plugins.auth import refresh
from plugins.auth.revocations import Revocations
from plugins.auth.settings import AuthSettings
from plugins.auth.tables import sessions

CLIENT_LENGTH: Final = 160  # characters of the User-Agent that are kept
#: Ended sessions are kept this long, so that reuse of their tokens is still seen and every process learns of them.
HISTORY: Final = timedelta(days=1)
SECONDS_A_DAY: Final = 24 * 60 * 60


@dataclass(frozen=True, kw_only=True)
class Origin:
    """From where somebody signs in."""

    address: str
    client: str  #: the User-Agent

    @classmethod
    def of(cls, request: Request) -> Origin:
        """Return from where *request* comes."""
        return cls(address=request.address, client=request.http.headers.get("User-Agent", ""))

    def shortened(self) -> str:
        printable = "".join(char if char.isprintable() else " " for char in self.client[:CLIENT_LENGTH])
        return printable.encode("utf-8", "replace").decode()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a browser keeps of its session, as the database has it."""

    digest: bytes  #: of the cookie
    idle_until: datetime


class OwnSession(msgspec.Struct, frozen=True):
    """A session as its owner sees it."""

    id: UUID
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    address: str
    client: str
    idle_until: datetime | None
    signed_in_by: str


NOW: Final = bindparam("now", type_=Timestamp())
ALIVE: Final = sa.and_(
    sessions.c.revoked_at.is_(None),
    sessions.c.expires_at > NOW,
    sa.or_(sessions.c.idle_until.is_(None), sessions.c.idle_until > NOW),
)

START: Final = Command(
    sa.insert(sessions).values(
        {
            name: bindparam(name)
            for name in ("id", "account_id", "nonce", "expires_at", "address", "client", "signed_in_by")
        }
        | {name: bindparam(name, type_=sessions.c[name].type) for name in ("cookie_digest", "idle_until")}
        | {"generation": 1, "parent": 0, "created_at": NOW, "used_at": NOW, "rotated_at": NOW}
    )
)

_own: Final = (
    sa.select(*(sessions.c[name] for name in OwnSession.__struct_fields__))
    .where(sessions.c.account_id == bindparam("account"), ALIVE)
    .order_by(sessions.c.id.desc())
    .limit(bindparam("limit"))
)
OWN: Final = Query(_own, OwnSession)
OWN_AFTER: Final = Query(_own.where(sessions.c.id < bindparam("after")), OwnSession)

END: Final = sa.update(sessions).where(ALIVE).values(revoked_at=NOW).returning(sessions.c.id)
END_ONE: Final = Query(
    END.where(sessions.c.id == bindparam("session"), sessions.c.account_id == bindparam("account")), UUID
)
END_OTHERS: Final = Query(
    END.where(sessions.c.account_id == bindparam("account"), sessions.c.id != bindparam("but")), UUID
)
END_ALL: Final = Query(END.where(sessions.c.account_id == bindparam("account")), UUID)

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

    async def start(
        self, session: Session, account: UUID, origin: Origin, kept: Kept | None, signed_in_by: str
    ) -> tuple[UUID, str, datetime]:
        """Start a session of *account*, of a browser that has *kept* a cookie or of an application.

        *signed_in_by* says how, or who vouched. Return its id, its first refresh token, which is not for a browser,
        and when it expires.
        """
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
            signed_in_by=signed_in_by,
            cookie_digest=kept and kept.digest,
            idle_until=kept and kept.idle_until,
            now=now,
        )
        return new, refresh.make(new, 1, nonce, self._ctx.secrets), expires_at

    async def of(self, account: UUID, *, limit: int, after: UUID | None) -> list[OwnSession]:
        """Return the living sessions of *account*, the newest first, at most *limit*, those older than *after*."""
        now = self._ctx.clock.now()
        if after is None:
            return await self._ctx.db.all(OWN, account=account, now=now, limit=limit)
        return await self._ctx.db.all(OWN_AFTER, account=account, now=now, limit=limit, after=after)

    async def end(self, session: Session, account: UUID, ending: UUID, reason: str) -> bool:
        """End the session *ending* of *account*; return whether there was such a living one."""
        ended = await session.all(END_ONE, session=ending, account=account, now=self._now)
        await self.tell_ended(session, account, ended, reason)
        return bool(ended)

    async def end_others(self, session: Session, account: UUID, but: UUID) -> None:
        """End all sessions of *account* except *but*."""
        ended = await session.all(END_OTHERS, account=account, but=but, now=self._now)
        await self.tell_ended(session, account, ended, "sign-out")

    async def end_all(self, session: Session, account: UUID, reason: str) -> list[UUID]:
        """End all sessions of *account*; return those that lived."""
        ended = await session.all(END_ALL, account=account, now=self._now)
        await self.tell_ended(session, account, ended, reason)
        return ended

    async def tell_ended(self, session: Session, account: UUID, ended: list[UUID], reason: str) -> None:
        """Tell everybody that the sessions *ended*, of *account*, are over once *session* has committed."""
        told = [SessionRevoked(user_id=account, session_id=one, reason=reason) for one in ended]
        await self._ctx.events.publish_all(session, told)
        self._revocations.end(session, ended)

    async def forget(self) -> None:
        """Delete sessions that ended long ago."""
        await self._ctx.db.run(FORGET, before=self._now - HISTORY)

    @property
    def _now(self) -> datetime:
        return self._ctx.clock.now()
