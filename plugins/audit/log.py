"""The log: every act once, each linked to the one before it.

An act's link is the SHA-256 of the act and of the link before. Whoever changes, removes or slips in an act breaks every
link behind it, and whoever makes all of them anew ends with another last link than the one that was noted elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, Delivery
from kernel.contracts.audit import ActRecorded
from kernel.database import Command, Query, Session
from plugins.audit.tables import acts, chain

PAGE: Final = 500  # acts that are held at once


class Act(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An act as the database has it.

    Its link depends on these fields and on their order: move none, and add only such as have a default, at the end. A
    default is left out of what is linked, so that acts from before the field keep their links.
    """

    number: int
    event_id: UUID
    happened_at: datetime
    action: str
    subject: str
    actor: UUID | None
    acting_as: UUID | None
    origin: str
    reason: str
    before: str | None  #: JSON
    after: str | None  #: JSON
    source: str
    correlation_id: UUID
    link: bytes
    about: UUID | None = None

    def linked_to(self, previous: bytes) -> bytes:
        """Return the link that the act must have behind one with the link *previous*."""
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(self, link=previous))).digest()


class End(msgspec.Struct, frozen=True):
    """Where the chain ends."""

    number: int
    link: bytes


#: Takes the next number, and with it the turn: whoever else adds an act waits until this transaction has ended.
TAKE_TURN: Final = Query(
    sa.update(chain).values(number=chain.c.number + 1).returning(chain.c.number, chain.c.link), End
)
ADD: Final = Command(sa.insert(acts).values({name: bindparam(name) for name in Act.__struct_fields__}))
SET_END: Final = Command(sa.update(chain).values(link=bindparam("link")))
COUNT: Final = Query(
    sa.select(sa.func.count().label("count")).select_from(acts).where(acts.c.subject == bindparam("subject")), int
)
KNOWN: Final = Query(sa.select(acts.c.event_id).where(acts.c.event_id.in_(bindparam("events", expanding=True))), UUID)

COLUMNS: Final = tuple(acts.c[name] for name in Act.__struct_fields__)
_PLACE: Final = sa.tuple_(acts.c.happened_at, acts.c.number)
_FILTERS: Final = {
    "action": acts.c.action == bindparam("action"),
    "actor": acts.c.actor == bindparam("actor"),
    "subject": acts.c.subject == bindparam("subject"),
    "about": acts.c.about == bindparam("about"),
    "since": acts.c.happened_at >= bindparam("since", type_=acts.c.happened_at.type),
    "until": acts.c.happened_at < bindparam("until", type_=acts.c.happened_at.type),
    "after_time": sa.tuple_(
        bindparam("after_time", type_=acts.c.happened_at.type), bindparam("after_number", type_=acts.c.number.type)
    )
    > _PLACE,
}


@cache
def listing(given: frozenset[str]) -> Query[Act]:
    """Return the list of acts, the newest first, with the filters that are *given*, each of them on an index."""
    select = sa.select(*COLUMNS).order_by(acts.c.happened_at.desc(), acts.c.number.desc()).limit(bindparam("limit"))
    return Query(select.where(*(condition for name, condition in _FILTERS.items() if name in given)), Act)


class AuditLog:
    """Keeps acts, and finds them."""

    def __init__(self, ctx: Context) -> None:
        self._db = ctx.db

    async def record(self, session: Session, delivery: Delivery[ActRecorded]) -> None:
        """Add an act at the end of the chain."""
        end, told = await session.one(TAKE_TURN), delivery.event
        act = Act(
            number=end.number,
            event_id=delivery.id,
            happened_at=delivery.time,
            action=told.action,
            subject=told.subject,
            actor=told.actor,
            acting_as=told.acting_as,
            origin=told.origin,
            reason=told.reason,
            before=_text(told.before),
            after=_text(told.after),
            source=delivery.source,
            correlation_id=delivery.correlation_id,
            link=b"",
            about=told.about,
        )
        link = act.linked_to(end.link)
        await session.run(ADD, **msgspec.structs.asdict(act) | {"link": link})
        await session.run(SET_END, link=link)

    async def known(self, session: Session, told: Sequence[Delivery[ActRecorded]]) -> Collection[UUID]:
        """Return the ids of those that are in the log already: a replay brings them again."""
        return await session.all(KNOWN, events=[delivery.id for delivery in told])

    async def find(self, *, limit: int, after: tuple[datetime, int] | None = None, **filters: object) -> list[Act]:
        """Return the newest acts that pass the *filters*, which `_FILTERS` names; None is for any."""
        values = {name: value for name, value in filters.items() if value is not None}
        if after is not None:
            values |= {"after_time": after[0], "after_number": after[1]}
        return await self._db.all(listing(frozenset(values)), limit=limit, **values)

    async def pages(self, **filters: Any) -> AsyncIterator[Sequence[Act]]:
        """Yield all acts that pass the *filters*, the newest first, page by page."""
        found = await self.find(limit=PAGE, **filters)
        while found:
            yield found
            found = await self.find(limit=PAGE, after=(found[-1].happened_at, found[-1].number), **filters)

    async def count(self, subject: str) -> int:
        return await self._db.one(COUNT, subject=subject)


def _text(value: dict[str, Any] | None) -> str | None:
    return None if value is None else msgspec.json.encode(value, order="sorted").decode()
