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
from plugins.search import store
from plugins.search.indexing import Indexing
from plugins.search.marks import mark
from plugins.search.settings import SearchSettings
from plugins.search.tables import contents, documents, postings, slips
from plugins.search.vectors import key
from plugins.search.weighing import RESTRICTED, TEACHES
from plugins.search.words import deletions, stem, words

PAGE: Final = 100  # documents


class Naming(msgspec.Struct, frozen=True):
    """A document in which a person's name stands."""

    number: int
    subject_kind: str
    subject_id: UUID
    public: bool
    shown: bytes
    terms: bytes


NAMING: Final = Query(
    sa.select(*((contents.c if name in contents.c else documents.c)[name] for name in Naming.__struct_fields__))
    .join_from(documents, contents, contents.c.document == documents.c.number)
    .where(
        documents.c.number.in_(
            sa.select(postings.c.document).where(postings.c.term.in_(bindparam("naming", expanding=True)))
        ),
        documents.c.number > bindparam("after"),
    )
    .order_by(documents.c.number)
    .limit(PAGE),
    Naming,
)
#: What nothing has any more that is found by it.
FORGET_TERM: Final = Command(
    sa.delete(slips).where(
        slips.c.deletion == bindparam("of_deletion"),
        slips.c.term == bindparam("of_term"),
        ~sa.exists().where(postings.c.term == bindparam("of_key")),
        ~sa.exists().where(postings.c.term == bindparam("of_restricted_key")),
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
        while found := await self._db.all(NAMING, naming=_naming(subject.user_id), after=after):
            after = found[-1].number
            for one in found:
                yield document(f"found/{one.number}.json", msgspec.Raw(one.shown))

    async def erase(self, subject: Subject) -> Receipt:
        """Take out what names the person, and ask its source for it anew: by then the name is gone there."""
        after = 0
        while found := await self._db.all(NAMING, naming=_naming(subject.user_id), after=after):
            after = found[-1].number
            await self._remove(found, subject.user_id)
        return RECEIPT

    async def _remove(self, found: list[Naming], person: UUID) -> None:
        terms = {stem(word) for one in found for name in _names(one, person) for word in words(name)}
        async with self._db.transaction() as session:
            changes = store.nothing()
            for one in found:
                store.take_out(changes, one.number, store.spaced(one.terms, public=one.public))
            await store.write(session, changes)
            await session.run_many(FORGET_TERM, [row for term in sorted(terms) for row in _forgotten(term)])
            for one in found:
                await mark(session, one.subject_kind, [one.subject_id], self._clock.now())
            session.after_commit(self._indexing.wake)


def _naming(person: UUID) -> list[bytes]:
    """Return the keys of what names the person."""
    return _in_both_spaces(f"{TEACHES}{person}")


def _forgotten(term: str) -> list[dict[str, object]]:
    keys = dict(zip(("of_key", "of_restricted_key"), _in_both_spaces(term), strict=True))
    return [{"of_deletion": deletion, "of_term": term, **keys} for deletion in sorted(deletions(term))]


def _in_both_spaces(term: str) -> list[bytes]:
    return [key(term), key(RESTRICTED + term)]


def _names(naming: Naming, person: UUID) -> list[str]:
    shown = _decode(naming.shown)
    own = [shown.title] if shown.id == person else []
    return own + [teacher.name for teacher in shown.instructors if teacher.id == person]
