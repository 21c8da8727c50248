"""Where a person's name stands in the index: what the sources tell of who teaches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.personal_data import Document, Receipt, Subject, document
from kernel.contracts.search import Found
from kernel.database import Command, Query
from plugins.search.indexing import Indexing
from plugins.search.marks import mark
from plugins.search.settings import SearchSettings
from plugins.search.tables import documents, people, postings, slips
from plugins.search.words import deletions, stem, words

PAGE: Final = 100  # documents
_PERSON: Final = bindparam("person", type_=sa.Uuid())


class Naming(msgspec.Struct, frozen=True):
    """A document in which a person's name stands."""

    number: int
    subject_kind: str
    subject_id: UUID
    shown: bytes


NAMING: Final = Query(
    sa.select(*(documents.c[name] for name in Naming.__struct_fields__))
    .join(people, people.c.document == documents.c.number)
    .where(people.c.user_id == _PERSON, people.c.document > bindparam("after"))
    .order_by(people.c.document)
    .limit(PAGE),
    Naming,
)
REMOVE: Final = Command(sa.delete(documents).where(documents.c.number == bindparam("of_number")))
#: What nothing has any more that is found by it.
FORGET_TERM: Final = Command(
    sa.delete(slips).where(
        slips.c.deletion == bindparam("of_deletion"),
        slips.c.term == bindparam("of_term"),
        ~sa.exists().where(postings.c.term == slips.c.term),
    )
)
RECEIPT: Final = Receipt(erased=("your name where it could be found by a search",))
_decode: Final = msgspec.json.Decoder(Found).decode


class SearchPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[SearchSettings]) -> None:
        self._db = ctx.db
        self._clock = ctx.clock
        self._indexing = ctx.own(Indexing)

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        after = 0
        while found := await self._db.all(NAMING, person=subject.user_id, after=after):
            after = found[-1].number
            for one in found:
                yield document(f"found/{one.number}.json", msgspec.Raw(one.shown))

    async def erase(self, subject: Subject) -> Receipt:
        """Take out what names the person, and ask its source for it anew: by then the name is gone there."""
        after = 0
        while found := await self._db.all(NAMING, person=subject.user_id, after=after):
            after = found[-1].number
            await self._remove(found, subject.user_id)
        return RECEIPT

    async def _remove(self, found: list[Naming], person: UUID) -> None:
        terms = {stem(word) for one in found for name in _names(one, person) for word in words(name)}
        async with self._db.transaction() as session:
            await session.run_many(REMOVE, [{"of_number": one.number} for one in found])
            rows = [
                {"of_deletion": deletion, "of_term": term} for term in sorted(terms) for deletion in deletions(term)
            ]
            await session.run_many(FORGET_TERM, rows)
            for one in found:
                await mark(session, one.subject_kind, [one.subject_id], self._clock.now())
            session.after_commit(self._indexing.wake)


def _names(naming: Naming, person: UUID) -> list[str]:
    shown = _decode(naming.shown)
    own = [shown.title] if shown.id == person else []
    return own + [teacher.name for teacher in shown.instructors if teacher.id == person]
