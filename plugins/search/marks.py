"""Marks: which subjects changed and are still to be indexed, and who is at it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # compiles on SQLite just as well

from kernel import new_id
from kernel.database import Command, Database, Query, Session, Timestamp
from plugins.search.tables import changed, documents, sources

BATCH: Final = 100  # subjects


_NEW: Final = insert(changed).values(
    kind=bindparam("kind"), subject_id=bindparam("subject_id"), mark=bindparam("mark"), due=bindparam("due")
)
MARK: Final = Command(
    _NEW.on_conflict_do_update(
        index_elements=[changed.c.kind, changed.c.subject_id],
        set_={"mark": _NEW.excluded.mark, "due": _NEW.excluded.due, "claim": None},
        where=changed.c.mark != _NEW.excluded.mark,
    )
)
_DUE: Final = sa.and_(changed.c.kind == bindparam("of_kind"), changed.c.due <= bindparam("now", type_=Timestamp()))
_NEXT: Final = (
    sa.select(changed.c.subject_id)
    .where(_DUE)
    .order_by(changed.c.due)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
    .cte("chosen")  # PostgreSQL may run a subquery again, and lock more than *count*
)
#: The condition stands outside as well: SQLite knows no locks of rows.
CLAIM: Final = Query(
    sa.update(changed)
    .where(_DUE, changed.c.subject_id.in_(sa.select(_NEXT.c.subject_id)))
    .values(claim=bindparam("new_claim", type_=sa.Uuid()), due=bindparam("later", type_=Timestamp()))
    .returning(changed.c.subject_id),
    UUID,
)
#: A new mark ends the claim on the one before.
TAKE: Final = Query(
    sa.delete(changed)
    .where(
        changed.c.kind == bindparam("of_kind"),
        changed.c.subject_id.in_(bindparam("subjects", expanding=True)),
        changed.c.claim == bindparam("of_claim"),
    )
    .returning(changed.c.subject_id),
    UUID,
)
#: The subjects of one kind that are indexed, in the order of their ids.
INDEXED: Final = Query(
    sa.select(documents.c.subject_id)
    .distinct()
    .where(documents.c.subject_kind == bindparam("of_kind"), documents.c.subject_id > bindparam("after"))
    .order_by(documents.c.subject_id)
    .limit(500),
    UUID,
)
WAITING: Final = Query(sa.select(sa.func.count().label("count")).select_from(changed), int)
KNOWN_SOURCES: Final = Query(sa.select(sources.c.kind), str)
KNOW_SOURCE: Final = Command(insert(sources).values(kind=bindparam("kind")).on_conflict_do_nothing())


async def mark(
    session: Session, kind: str, subjects: Iterable[UUID], now: datetime, *, cause: UUID | None = None
) -> None:
    """Have the subjects indexed anew; the same *cause*, an event, marks once however often it comes."""
    rows = [{"kind": kind, "subject_id": one, "mark": cause or new_id(), "due": now} for one in sorted(subjects)]
    await session.run_many(MARK, rows)


class Claim(msgspec.Struct, frozen=True):
    """The right to index some subjects, until it lapses."""

    kind: str
    id: UUID
    subjects: tuple[UUID, ...]

    async def take(self, session: Session, subjects: Sequence[UUID]) -> list[UUID]:
        """Remove the marks; return those that still were claimed: others were marked or claimed anew."""
        return await session.all(TAKE, of_kind=self.kind, subjects=list(subjects), of_claim=self.id)


async def claim(db: Database, kind: str, now: datetime, lease: timedelta) -> Claim:
    """Claim some subjects of a *kind* that are due; who does not index them within *lease* loses them again."""
    claim_id = new_id()
    async with db.transaction() as session:
        found = await session.all(CLAIM, of_kind=kind, now=now, later=now + lease, new_claim=claim_id, count=BATCH)
    return Claim(kind, claim_id, tuple(found))
