"""Exports as the database has them: asked for, claimed by a process, ready, and forgotten after some days."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, new_id, problems
from kernel.database import Command, Query, Timestamp
from plugins.privacy.settings import PrivacySettings
from plugins.privacy.tables import READY, WAITING, export_chunks, exports

LEASE: Final = timedelta(minutes=15)  # that a process has for all that one plugin hands out


class Export(msgspec.Struct, frozen=True):
    """A copy of what is kept of a person; it can be fetched while it is `ready`."""

    id: UUID
    user_id: UUID
    state: Literal["waiting", "ready", "failed"]
    attempts: int
    created_at: datetime
    ready_at: datetime | None
    expires_at: datetime
    size: int | None  #: bytes
    reason: str  #: which plugin failed last, and how


_COLUMNS: Final = tuple(exports.c[name] for name in Export.__struct_fields__)
_NOW: Final = bindparam("now", type_=Timestamp())
_ID: Final = exports.c.id == bindparam("export")
#: Of two processes only the one that claimed last may go on.
_CLAIMED: Final = sa.and_(_ID, exports.c.state == WAITING, exports.c.attempts == bindparam("claim"))

ASK: Final = Command(
    insert(exports)
    .values(
        {name: bindparam(name) for name in ("id", "user_id", "expires_at")}
        | {"state": WAITING, "attempts": 0, "next_at": _NOW, "created_at": _NOW, "reason": sa.literal_column("''")}
    )
    .on_conflict_do_nothing()
)
UNDER_WAY: Final = Query(
    sa.select(*_COLUMNS).where(exports.c.user_id == bindparam("person"), exports.c.state == WAITING), Export
)
OWN: Final = Query(
    sa.select(*_COLUMNS)
    .where(exports.c.user_id == bindparam("person"), exports.c.id < bindparam("before"), exports.c.expires_at > _NOW)
    .order_by(exports.c.id.desc())
    .limit(bindparam("limit")),
    Export,
)
ONE: Final = Query(
    sa.select(*_COLUMNS).where(_ID, exports.c.user_id == bindparam("person"), exports.c.expires_at > _NOW), Export
)
_DUE: Final = (
    sa.select(exports.c.id)
    .where(exports.c.state == WAITING, exports.c.next_at <= _NOW)
    .order_by(exports.c.next_at, exports.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
CLAIM: Final = Query(
    sa.update(exports)
    .where(exports.c.id == _DUE, exports.c.state == WAITING, exports.c.next_at <= _NOW)
    .values(next_at=bindparam("until"), attempts=exports.c.attempts + 1)
    .returning(*_COLUMNS),
    Export,
)
EXTEND: Final = Command(sa.update(exports).where(_CLAIMED).values(next_at=bindparam("until")))
FINISH: Final = Command(
    sa.update(exports)
    .where(_CLAIMED)
    .values(state=READY, ready_at=_NOW, expires_at=bindparam("until"), size=bindparam("size"), reason="")
)
#: Leaves it to a later attempt, or gives it up.
PUT_OFF: Final = Command(
    sa.update(exports)
    .where(_CLAIMED)
    .values(state=bindparam("new_state"), next_at=bindparam("until"), reason=bindparam("why"))
)
FORGET: Final = Command(sa.delete(exports).where(exports.c.expires_at <= _NOW))
FORGET_PERSON: Final = Command(sa.delete(exports).where(exports.c.user_id == bindparam("person")))

_CHUNK: Final = ("export_id", "attempt", "number", "sealed")
KEEP_CHUNK: Final = Command(sa.insert(export_chunks).values({name: bindparam(name) for name in _CHUNK}))
CHUNK: Final = Query(
    sa.select(export_chunks.c.sealed).where(
        *(export_chunks.c[name] == bindparam(f"of_{name}") for name in ("export_id", "attempt", "number"))
    ),
    str,
)
FORGET_CHUNKS: Final = Command(
    sa.delete(export_chunks).where(
        export_chunks.c.export_id == bindparam("export"), export_chunks.c.attempt <= bindparam("through")
    )
)
_LAST: Final = UUID(int=2**128 - 1)


class Exports:
    """Takes wishes for exports, and shows what became of them."""

    def __init__(self, ctx: Context[PrivacySettings]) -> None:
        self._ctx = ctx

    async def ask(self, person: UUID) -> Export:
        """Return a new export of *person*, or the one that is under way."""
        now = self._ctx.clock.now()
        new, expires_at = new_id(), now + timedelta(days=self._ctx.settings.archive_days)
        async with self._ctx.db.transaction() as session:
            await session.run(ASK, id=new, user_id=person, now=now, expires_at=expires_at)
            found = await session.first(UNDER_WAY, person=person)
        return found or (await self.own(person, limit=1, before=None))[0]  # it was made in this moment

    async def own(self, person: UUID, *, limit: int, before: UUID | None) -> list[Export]:
        """Return up to *limit* exports of *person* that are older than *before*, the newest first."""
        return await self._ctx.db.all(
            OWN, person=person, before=before or _LAST, limit=limit, now=self._ctx.clock.now()
        )

    async def one(self, person: UUID, export_id: UUID) -> Export:
        """Return the export.

        Raises:
            problems.NotFound: the person has no such one (any more).
        """
        found = await self._ctx.db.first(ONE, export=export_id, person=person, now=self._ctx.clock.now())
        if found is None:
            raise problems.NotFound
        return found
