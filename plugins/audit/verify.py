"""Computes every link anew, and says where the log was tampered with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.database import Database, Query
from plugins.audit.log import COLUMNS, Act, End
from plugins.audit.tables import acts, chain

PAGE: Final = 1000  # acts

END: Final = Query(sa.select(chain.c.number, chain.c.link), End)
FOLLOWING: Final = Query(
    sa.select(*COLUMNS)
    .where(acts.c.number > bindparam("after"), acts.c.number <= bindparam("last"))
    .order_by(acts.c.number)
    .limit(PAGE),
    Act,
)


class Fault(msgspec.Struct, frozen=True):
    """What is not as it was written."""

    where: str
    what: str


@dataclass(frozen=True)
class Known:
    """A link that somebody noted when it was the last."""

    number: int
    link: bytes


async def verify(db: Database, known: Known | None = None) -> AsyncIterator[Fault]:
    """Yield every fault of the log as it stood when this began; acts may be added meanwhile."""
    end = await db.one(END)
    last = End(0, b"")
    async for act in _acts(db, end.number):
        for what in _faults(last, act, known):
            yield Fault(f"act {act.number}", what)
        last = End(act.number, act.link)
    if last != end:
        yield Fault("end", f"the log ends with the act {last.number}; the last that was added is {end.number}")
    if known is not None and known.number > end.number:
        yield Fault("end", f"the act {known.number}, whose link is known, is gone")


async def _acts(db: Database, last: int) -> AsyncIterator[Act]:
    after = 0
    while found := await db.all(FOLLOWING, after=after, last=last):
        for act in found:
            yield act
        after = found[-1].number


def _faults(last: End, act: Act, known: Known | None) -> list[str]:
    faults = []
    if act.number != last.number + 1:
        faults.append(f"the acts from {last.number + 1} to {act.number - 1} are gone")
    if act.link != act.linked_to(last.link):
        faults.append("the act or one before it was changed")
    if known is not None and known.number == act.number and known.link != act.link:
        faults.append("its link is not the known one: the log was written anew")
    return faults
