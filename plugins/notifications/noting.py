"""Noting: the first step of every notice is a row for each event and person, however often the event comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import new_id
from kernel.contracts.notifications import Facts
from kernel.database import Command, Session
from plugins.notifications.tables import circulars, notices

_NOTE: Final = ("id", "event_id", "user_id", "kind", "facts", "topic", "author", "about", "at")
NOTE: Final = Command(insert(notices).values({name: bindparam(name) for name in _NOTE}).on_conflict_do_nothing())
_CIRCULAR: Final = ("event_id", "topic", "kind", "facts", "author", "at", "after", "step")
CIRCULATE: Final = Command(
    insert(circulars).values({name: bindparam(name) for name in _CIRCULAR}).on_conflict_do_nothing()
)
NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, kw_only=True)
class Happening:
    """What there is to tell of one event."""

    event_id: UUID
    kind: str
    facts: Facts
    at: datetime
    author: UUID | None = None


async def note(
    session: Session, happening: Happening, people: Iterable[UUID], *, topic: str = "", about: str | None = None
) -> None:
    """Note it for each of *people*, but for its author."""
    rows = [
        {**_row(happening), "id": new_id(), "user_id": one, "topic": topic, "about": about}
        for one in people
        if one != happening.author
    ]
    await session.run_many(NOTE, rows)


async def circulate(session: Session, happening: Happening, topic: str) -> None:
    """Have it noted for whoever follows *topic*."""
    await session.run(CIRCULATE, **_row(happening), topic=topic, after=NOBODY, step=0)


def _row(happening: Happening) -> Mapping[str, Any]:
    return {**asdict(happening), "facts": dict(happening.facts)}
