"""Writing the read model: the documents of subjects take the place of those that were there, in one transaction.

Only what differs is written: a document that says the same costs one look at it.
"""

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
from kernel.database import Command, Load, Query, Session
from plugins.search.tables import contents, documents, postings, slips
from plugins.search.vectors import key, vector
from plugins.search.weighing import BOUND, RESTRICTED, TEACHES, column_of, weigh, worth_guessing
from plugins.search.words import deletions

UNKNOWN: Final = -1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_decode_terms: Final = msgspec.json.Decoder(dict[str, int]).decode


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What finds, filters and sorts a document."""

    public: bool
    category: str
    level: str
    language: str
    price: int
    rating: int
    duration_seconds: int
    published: int
    readers: str
    words: bytes
    begun: bytes


class Written(_Facts, frozen=True, kw_only=True):
    """A document as it is in the index."""

    number: int
    id: UUID
    kind: str
    subject_id: UUID
    shown: bytes
    terms: bytes

    @property
    def postings(self) -> dict[str, int]:
        """Return its terms as they stand in the index, with their impact."""
        return spaced(self.terms, public=self.public)


_FACTS: Final = _Facts.__struct_fields__
_OWN: Final = ("id", "kind", "subject_kind", "subject_id", *_FACTS)
KNOWN: Final = Query(
    sa.select(*((contents.c if name in contents.c else documents.c)[name] for name in Written.__struct_fields__))
    .join_from(documents, contents, contents.c.document == documents.c.number)
    .where(
        documents.c.subject_kind == bindparam("of_kind"),
        documents.c.subject_id.in_(bindparam("subjects", expanding=True)),
    ),
    Written,
)
ADD: Final = Query(
    insert(documents).values({name: bindparam(name) for name in _OWN}).returning(documents.c.number), int
)
ADD_CONTENTS: Final = Load(contents, "document", "shown", "terms")
ADD_POSTINGS: Final = Load(postings, "term", "impact", "document")
CHANGE: Final = Command(
    sa.update(documents)
    .where(documents.c.number == bindparam("of_number"))
    .values({name: bindparam(f"new_{name}") for name in _FACTS})
)
CHANGE_CONTENT: Final = Command(
    sa.update(contents)
    .where(contents.c.document == bindparam("of_number"))
    .values({name: bindparam(f"new_{name}") for name in ("shown", "terms")})
)
REMOVE: Final = Command(sa.delete(documents).where(documents.c.number == bindparam("of_number")))
REMOVE_POSTING: Final = Command(
    sa.delete(postings).where(*(postings.c[name] == bindparam(f"of_{name}") for name in ("term", "impact", "document")))
)
#: A word that is known stands among its own slips.
KNOWN_WORDS: Final = Query(
    sa.select(slips.c.term).where(
        slips.c.deletion.in_(bindparam("words", expanding=True)), slips.c.deletion == slips.c.term
    ),
    str,
)
ADD_SLIP: Final = Command(
    insert(slips).values(deletion=bindparam("deletion"), term=bindparam("term")).on_conflict_do_nothing()
)


class Changes(msgspec.Struct, frozen=True):
    """What is to be written, gathered so that each table is written to once."""

    removed: list[int]
    changed: list[dict[str, object]]
    contents_changed: list[dict[str, object]]
    contents_added: list[tuple[int, bytes, bytes]]
    postings_added: list[tuple[bytes, int, int]]
    postings_removed: list[dict[str, object]]
    words: set[str]
    people: set[UUID]  #: who teach what is another now: they are found by it

    def put(self, number: int, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Note how the postings of a document differ."""
        self.postings_removed.extend(
            {"of_term": key(term), "of_impact": impact, "of_document": number}
            for term, impact in before.items() - after.items()
        )
        self.postings_added.extend((key(term), impact, number) for term, impact in after.items() - before.items())
        self._learn(after.keys() - before.keys())
        self._name(before)
        self._name(after)

    def add(self, number: int, shown: bytes, terms: bytes, told: Mapping[str, int]) -> None:
        """Note what there is of a new document."""
        self.contents_added.append((number, shown, terms))
        self.put(number, {}, told)

    def _name(self, terms: Iterable[str]) -> None:
        plain = (term.removeprefix(RESTRICTED) for term in terms)
        self.people.update(UUID(term.removeprefix(TEACHES)) for term in plain if term.startswith(TEACHES))

    def _learn(self, terms: Iterable[str]) -> None:
        self.words.update(plain for term in terms if worth_guessing(plain := term.removeprefix(RESTRICTED)))


async def replace(session: Session, kind: str, told: Mapping[UUID, Sequence[Document]]) -> set[UUID]:
    """Put the documents told of each subject in the place of what is known of it.

    Return the people who teach something of which other words are known now.
    """
    known = {(one.kind, one.id): one for one in await session.all(KNOWN, of_kind=kind, subjects=list(told))}
    changes = nothing()
    for subject, of_subject in told.items():
        for document in of_subject:
            before = known.get((document.kind, document.id))
            if before is not None and before.subject_id == subject:
                del known[document.kind, document.id]
                _change(changes, before, document)
            else:
                await _add(session, changes, kind, subject, document)
    for gone in known.values():
        take_out(changes, gone.number, gone.postings)
    await write(session, changes)
    return changes.people


def nothing() -> Changes:
    """Return changes to which something may be added."""
    return Changes([], [], [], [], [], [], set(), set())


def take_out(changes: Changes, number: int, had: Mapping[str, int]) -> None:
    """Note that a document goes, with its postings."""
    changes.removed.append(number)
    changes.put(number, had, {})


async def write(session: Session, changes: Changes) -> None:
    """Write what was gathered; in an order of its rows in which writers do not wait for each other in a circle."""
    await session.run_many(REMOVE, [{"of_number": number} for number in changes.removed])
    await session.run_many(CHANGE, changes.changed)
    await session.run_many(CHANGE_CONTENT, changes.contents_changed)
    await session.load(ADD_CONTENTS, changes.contents_added)
    await session.run_many(REMOVE_POSTING, changes.postings_removed)
    await session.load(ADD_POSTINGS, changes.postings_added)
    known = await session.all(KNOWN_WORDS, words=sorted(changes.words)) if changes.words else ()
    await session.run_many(ADD_SLIP, _slips(changes.words.difference(known)))


async def _add(session: Session, changes: Changes, kind: str, subject: UUID, document: Document) -> None:
    terms = weigh(document)
    facts = msgspec.structs.asdict(_facts(document, terms))
    own = {"id": document.id, "kind": document.kind, "subject_kind": kind, "subject_id": subject}
    number = await session.one(ADD, **own, **facts)
    changes.add(number, _shown(document), _encode(terms), _spaced(terms, public=EVERYBODY in document.readers))


def _change(changes: Changes, before: Written, document: Document) -> None:
    shown, terms = _shown(document), weigh(document)
    facts = _facts(document, terms)
    if any(getattr(before, name) != getattr(facts, name) for name in _FACTS):
        new = {f"new_{name}": value for name, value in msgspec.structs.asdict(facts).items()}
        changes.changed.append({"of_number": before.number, **new})
    encoded = _encode(terms)
    if (before.shown, before.terms) != (shown, encoded):
        changes.contents_changed.append({"of_number": before.number, "new_shown": shown, "new_terms": encoded})
    if before.terms != encoded or before.public != facts.public:
        changes.put(before.number, before.postings, _spaced(terms, public=facts.public))


def _facts(document: Document, terms: Mapping[str, int]) -> _Facts:
    public = EVERYBODY in document.readers
    return _Facts(
        public=public,
        category=document.category,
        level=document.level,
        language=document.language,
        price=UNKNOWN if document.price is None else document.price,
        rating=UNKNOWN if document.rating is None else round(document.rating * 100),
        duration_seconds=UNKNOWN if document.duration_seconds is None else document.duration_seconds,
        published=UNKNOWN if document.published_at is None else _seconds(document.published_at),
        readers="" if public else BOUND.join(("", *sorted(set(document.readers)), "")),
        **{column: vector(_looked_up(terms, column)) for column in ("words", "begun")},
    )


def _looked_up(terms: Mapping[str, int], column: str) -> dict[str, int]:
    return {term: impact for term, impact in terms.items() if column_of(term) == column}


def _shown(document: Document) -> bytes:
    return _encode(Found(**{name: getattr(document, name) for name in Found.__struct_fields__}))


def spaced(terms: bytes, *, public: bool) -> dict[str, int]:
    """Return the terms of a document as they stand in the index, with their impact."""
    return _spaced(_decode_terms(terms), public=public)


def _spaced(terms: Mapping[str, int], *, public: bool) -> dict[str, int]:
    return dict(terms) if public else {RESTRICTED + term: impact for term, impact in terms.items()}


def _seconds(moment: datetime) -> int:
    return int((moment - _EPOCH).total_seconds())


def _slips(terms: Iterable[str]) -> list[dict[str, object]]:
    """Return the rows for the words of *terms*, in the order in which all who add the same ones wait in line."""
    pairs = {(deletion, term) for term in terms for deletion in deletions(term)}
    return [{"deletion": deletion, "term": term} for deletion, term in sorted(pairs)]
