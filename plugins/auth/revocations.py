"""What ended or changed lately, so that tokens which are signed and not yet expired lose their force at once.

The truth is in the database. Each process reads what is new every two seconds, and at once when it is told by a
broadcast, so a lost broadcast costs two seconds and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.database import Query, Session, Timestamp
from plugins.auth.accounts import ROLES, split_roles
from plugins.auth.keys import MARGIN, TOKEN_LIFE
from plugins.auth.settings import AuthSettings
from plugins.auth.tables import accounts, sessions

POLL: Final = 2.0  # seconds
TOPIC: Final = "auth.revocations"
#: What is older concerns no token any more.
WINDOW: Final = TOKEN_LIFE + MARGIN
#: Rows are stamped before they commit, by clocks that may differ: each reading goes back this much.
OVERLAP: Final = timedelta(seconds=30)


class _Ended(msgspec.Struct, frozen=True):
    id: UUID
    revoked_at: datetime


class _Changed(msgspec.Struct, frozen=True):
    id: UUID
    roles: str | None
    active: bool
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account has been since it changed."""

    roles: frozenset[str]
    active: bool
    since: datetime


_since: Final = bindparam("since", type_=Timestamp())
ENDED: Final = Query(sa.select(sessions.c.id, sessions.c.revoked_at).where(sessions.c.revoked_at > _since), _Ended)
CHANGED: Final = Query(
    sa.select(accounts.c.id, ROLES, accounts.c.active, accounts.c.changed_at).where(accounts.c.changed_at > _since),
    _Changed,
)


class Revocations:
    """Knows which sessions have ended, and which accounts are other than their tokens say."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._ended: dict[UUID, datetime] = {}
        self._standings: dict[UUID, Standing] = {}
        self._read_until: datetime | None = None
        self._listeners: list[Callable[[UUID], None]] = []
        self._reading = asyncio.Lock()
        self._asked = False

    def on_change(self, listener: Callable[[UUID], None]) -> None:
        """Call *listener* with the id of each session that ends and of each account that changes."""
        self._listeners.append(listener)

    def ended(self, session: UUID) -> bool:
        """Return whether the session ended before its time."""
        return session in self._ended

    def lately(self, account: UUID) -> Standing | None:
        """Return what the account is if it changed lately, None if a token is right about it."""
        return self._standings.get(account)

    def end(self, session: Session, ids: Sequence[UUID]) -> None:
        """Have every process refuse the tokens of the sessions *ids* once *session* has committed."""
        now = self._ctx.clock.now()

        def committed() -> None:
            for one in ids:
                self._end(one, now)
            self._broadcast()

        if ids:
            session.after_commit(committed)

    def change(self, session: Session, account: UUID, roles: frozenset[str], *, active: bool) -> None:
        """Have every process know what *account* is once *session* has committed."""
        standing = Standing(roles, active, self._ctx.clock.now())

        def committed() -> None:
            self._change(account, standing)
            self._broadcast()

        session.after_commit(committed)

    async def read(self) -> None:
        """Learn what is new."""
        async with self._reading:
            self._asked = False
            now = self._ctx.clock.now()
            since = max(now - WINDOW, self._read_until - OVERLAP) if self._read_until else now - WINDOW
            for ended in await self._ctx.db.all(ENDED, since=since):
                self._end(ended.id, ended.revoked_at)
            for changed in await self._ctx.db.all(CHANGED, since=since):
                self._change(changed.id, Standing(split_roles(changed.roles), changed.active, changed.changed_at))
            self._read_until = now
            self._forget(now - WINDOW)

    def wake(self, message: bytes) -> None:
        """Read soon: another process says that there is something new."""
        if not self._asked:  # one reading that has not begun serves all who ask
            self._asked = True
            self._ctx.tasks.start(self.read(), name="read revocations")

    def _end(self, session: UUID, moment: datetime) -> None:
        if session not in self._ended:
            self._ended[session] = moment
            self._notify(session)

    def _change(self, account: UUID, standing: Standing) -> None:
        known = self._standings.get(account)
        if known is None or known.since < standing.since:
            self._standings[account] = standing
            self._notify(account)

    def _notify(self, changed: UUID) -> None:
        for listener in self._listeners:
            listener(changed)

    def _broadcast(self) -> None:
        self._ctx.tasks.start(self._ctx.events.broadcast(TOPIC, b""), name="tell of revocations")

    def _forget(self, before: datetime) -> None:
        self._ended = {one: moment for one, moment in self._ended.items() if moment > before}
        self._standings = {one: found for one, found in self._standings.items() if found.since > before}
