"""Writing the read model: the documents of a subject take the place of those that were there, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # compiles on SQLite just as well

from kernel.contracts.search import EVERYBODY, Document, Found
from kernel.database import Command, Query, Session
from plugins.search.tables import documents, people, postings, readers, slips
from plugins.search.weighing import BEGUN, NAME, weigh, worth_guessing
from plugins.search.words import deletions

UNKNOWN: Final = -1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

CLEAR: Final = Command(
    sa.delete(documents).where(
        documents.c.subject_kind == bindparam("of_kind"), documents.c.subject_id == bindparam("of_subject")
    )
)
_NEW: Final = insert(documents).values(
    {name: bindparam(name) for name in documents.c.keys() if name != "number"}  # noqa: SIM118 - no mapping
)
ADD: Final = Query(_NEW.returning(documents.c.number), int)
ADD_POSTING: Final = Command(
    insert(postings).values({name: bindparam(name) for name in ("term", "document", "impact")})
)
ADD_READER: Final = Command(insert(readers).values(document=bindparam("document"), reader=bindparam("reader")))
ADD_PERSON: Final = Command(insert(people).values(document=bindparam("document"), user_id=bindparam("user_id")))
#: A word that is known stands among its own slips.
KNOWN: Final = Query(
    sa.select(slips.c.term).where(
        slips.c.deletion.in_(bindparam("words", expanding=True)), slips.c.deletion == slips.c.term
    ),
    str,
)
ADD_SLIP: Final = Command(
    insert(slips).values(deletion=bindparam("deletion"), term=bindparam("term")).on_conflict_do_nothing()
)


async def replace(session: Session, kind: str, subject: UUID, told: Sequence[Document]) -> None:
    """Put *told* in the place of what is known of the *subject*."""
    await session.run(CLEAR, of_kind=kind, of_subject=subject)
    for document in told:  # a subject has few
        await _add(session, kind, subject, document)


async def _add(session: Session, kind: str, subject: UUID, document: Document) -> None:
    number = await session.one(ADD, subject_kind=kind, subject_id=subject, **_columns(document))
    terms = weigh(document)
    rows = [{"term": term, "document": number, "impact": impact} for term, impact in sorted(terms.items())]
    await session.run_many(ADD_POSTING, rows)
    guessed = {
        term for term in terms if not term.startswith(NAME) and not term.endswith(BEGUN) and worth_guessing(term)
    }
    known = await session.all(KNOWN, words=sorted(guessed))
    await session.run_many(ADD_SLIP, _slips(guessed.difference(known)))
    if EVERYBODY not in document.readers:
        named = [{"document": number, "reader": reader} for reader in sorted(set(document.readers))]
        await session.run_many(ADD_READER, named)
    named_people = [{"document": number, "user_id": person} for person in sorted(_people(document))]
    await session.run_many(ADD_PERSON, named_people)


def _columns(document: Document) -> Mapping[str, object]:
    shown = Found(**{name: getattr(document, name) for name in Found.__struct_fields__})
    return {
        "id": document.id,
        "kind": document.kind,
        "public": EVERYBODY in document.readers,
        "category": document.category,
        "level": document.level,
        "language": document.language,
        "price": UNKNOWN if document.price is None else document.price,
        "rating": UNKNOWN if document.rating is None else round(document.rating * 100),
        "duration_seconds": UNKNOWN if document.duration_seconds is None else document.duration_seconds,
        "published": UNKNOWN if document.published_at is None else _seconds(document.published_at),
        "shown": msgspec.json.encode(shown),
    }


def _seconds(moment: datetime) -> int:
    return int((moment - _EPOCH).total_seconds())


def _slips(terms: Iterable[str]) -> list[dict[str, object]]:
    """Return the rows for the words of *terms*, in the order in which all who add the same ones wait in line."""
    pairs = {(deletion, term) for term in terms for deletion in deletions(term)}
    return [{"deletion": deletion, "term": term} for deletion, term in sorted(pairs)]


def _people(document: Document) -> set[UUID]:
    taught_by = {teacher.id for teacher in document.instructors}
    return taught_by | {document.id} if document.kind == "instructor" else taught_by
