"""Rotation: each refresh token is replaced when it is used, and a copy gives itself away.

A token stays good until its successor is used for the first time, so that an answer which got lost does no harm:
presented again it gives another successor, and the first one, which nobody should have, is dead. Only within ten
seconds it gives the same one, for twins that ask at the same moment. Whoever presents a dead token has a copy, or the
other one has: the session ends, and its owner is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.auth import TokenRefused
from kernel.database import Command, Query
from plugins.auth.accounts import ROLES, split_roles
from plugins.auth.messages import requested, reuse_message
from plugins.auth.refresh import Presented, make, parse
from plugins.auth.sessions import ALIVE, NOW, Sessions
from plugins.auth.settings import AuthSettings
from plugins.auth.tables import accounts, sessions

#: Within which a token presented again gets the answer that it got before.
TWINS: Final = timedelta(seconds=10)


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
    .where(sessions.c.id == bindparam("session"), sessions.c.generation == bindparam("read"), ALIVE)
    .values(generation=sessions.c.generation + 1, parent=bindparam("presented"), used_at=NOW, rotated_at=NOW)
)


class Rotation:
    """Gives the next token for the last."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._sessions = ctx.own(Sessions)

    async def refresh(self, token: str) -> Granted:
        """Return the tokens that follow *token*.

        Raises:
            TokenRefused: it is no token of ours, its session is over, or it was replaced and its successor used, which
                ends the session too.
        """
        presented = parse(token)
        if presented is None:
            raise TokenRefused
        found = await self._living(presented)
        if presented.generation not in (found.generation, found.parent):
            await self._reused(found)
            raise TokenRefused
        now = self._ctx.clock.now()
        if presented.generation == found.parent and now - found.rotated_at <= TWINS:
            return self._granted(found, found.generation)
        rotated = await self._ctx.db.run(
            ROTATE, session=found.id, read=found.generation, presented=presented.generation, now=now
        )
        # If a twin was faster, or the session ended meanwhile, look again.
        return self._granted(found, found.generation + 1) if rotated else await self.refresh(token)

    async def _living(self, presented: Presented) -> SessionRow:
        found = await self._ctx.db.first(BY_ID, session=presented.session)
        if found is None or not presented.proved(found.nonce, self._ctx.secrets):
            raise TokenRefused
        if not found.active or found.revoked_at is not None or found.expires_at <= self._ctx.clock.now():
            raise TokenRefused
        return found

    async def _reused(self, row: SessionRow) -> None:
        message = reuse_message(row.email, deployment=self._ctx.deployment.name)
        async with self._ctx.db.transaction() as session:
            if await self._sessions.end(session, row.account_id, row.id, "reuse"):
                await self._ctx.events.publish(session, requested(self._ctx, message))
        self._ctx.log.warning(
            "refresh token used twice", action="refresh", session=str(row.id), user=str(row.account_id)
        )

    def _granted(self, row: SessionRow, generation: int) -> Granted:
        return Granted(
            account=row.account_id,
            email=row.email,
            roles=tuple(sorted(split_roles(row.roles))),
            session=row.id,
            refresh_token=make(row.id, generation, row.nonce, self._ctx.secrets),
            expires_at=row.expires_at,
        )
