"""Sessions of browsers: found by the digest of their cookie."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.database import Command, Lookup, Query, Session
from plugins.auth.accounts import ROLES
from plugins.auth.sessions import ALIVE, END, NOW, Kept, Sessions
from plugins.auth.settings import AuthSettings
from plugins.auth.tables import accounts, sessions

#: A process looks at a session anew after so long, which is also how exactly its last use is noted. Shorter than
#: `revocations.WINDOW`, so that a process which could not read for a while misses no end of a session.
LOOK_EVERY: Final = timedelta(minutes=5)


class BrowserRow(msgspec.Struct, frozen=True):
    """The session of a cookie, and whose it is."""

    cookie_digest: bytes
    id: UUID
    account_id: UUID
    used_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    active: bool
    roles: str | None

    def lives(self, now: datetime) -> bool:
        """Return whether the session goes on, provided that it was used lately."""
        return self.active and self.revoked_at is None and now < self.expires_at


BY_COOKIE: Final = Lookup(
    sa.select(*(sessions.c[name] for name in BrowserRow.__struct_fields__[:6]), accounts.c.active, ROLES)
    .join_from(sessions, accounts)
    .where(sessions.c.cookie_digest.in_(bindparam("keys", expanding=True))),
    BrowserRow,
)
NOTE_USE: Final = Command(
    sa.update(sessions)
    .where(sessions.c.id == bindparam("session"), ALIVE)
    .values(used_at=NOW, idle_until=bindparam("until"))
)
END_BROWSER: Final = Query(END.where(sessions.c.cookie_digest == bindparam("digest")), UUID)
OWNER: Final = Query(sa.select(sessions.c.account_id).where(sessions.c.cookie_digest == bindparam("digest")), UUID)


class Browsers:
    """Looks sessions of browsers up, and ends the one that a new sign-in replaces."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._sessions = ctx.own(Sessions)

    async def look(self, digest: bytes) -> BrowserRow | None:
        """Return the living session of a cookie, and note now and then that it was used; None where there is none."""
        now = self._ctx.clock.now()
        found = await self._ctx.db.lookup(BY_COOKIE, digest)
        if found is None or not found.lives(now):
            return None
        if now - found.used_at < LOOK_EVERY:
            return found
        noted = await self._ctx.db.run(NOTE_USE, session=found.id, until=self._idle_until(now), now=now)
        return found if noted else None

    def kept(self, digest: bytes) -> Kept:
        """Return what is stored of the session that begins now with the cookie of *digest*."""
        return Kept(digest=digest, idle_until=self._idle_until(self._ctx.clock.now()))

    async def replace(self, session: Session, digest: bytes) -> None:
        """End the session of a cookie whose browser has signed in anew."""
        owner = await session.first(OWNER, digest=digest)
        if owner is not None:
            ended = await session.all(END_BROWSER, digest=digest, now=self._ctx.clock.now())
            await self._sessions.tell_ended(session, owner, ended, "sign-out")

    def _idle_until(self, now: datetime) -> datetime:
        return now + timedelta(hours=self._ctx.settings.browser_idle_hours)
