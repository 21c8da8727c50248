"""Reading a query: which parts it has, and in how many documents each of them stands."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.database import Database, Query
from plugins.search.matching import REACH
from plugins.search.tables import postings, slips
from plugins.search.vectors import key
from plugins.search.weighing import ANYTHING, BEGUN, NAME, RESTRICTED, worth_guessing
from plugins.search.words import STOP_WORDS, deletions, name_of, one_slip, stem, words

MOST_WORDS: Final = 8  # further ones are left out
MOST_GUESSES: Final = 4
#: Documents of a term that are counted; what more have says equally little.
ENOUGH: Final = REACH + 1
#: A word in so few documents says as much as any.
COMMON: Final = 10_000
#: Of a hundred: what a term counts that is not the word itself.
BEGUN_WORTH, GUESS_WORTH = 70, 60


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One word of a query, with the terms that it stands for."""

    word: str
    own: str  #: the term that is the word itself
    terms: tuple[str, ...]  #: all of them
    worth: int  #: of a hundred: what the others count
    weight: int  #: rarer words weigh more
    guessed: bool = False

    def factor(self, term: str) -> int:
        """Return how many points one of its terms brings for each point of impact."""
        return self.weight * (100 if term == self.own else self.worth)


class Reading(msgspec.Struct, frozen=True):
    """A query as the index understands it."""

    slots: tuple[Slot, ...]
    name: str  #: the term of what is called exactly like the query
    known: Mapping[str, int]  #: term → documents that have it, counted up to `ENOUGH`

    @property
    def corrected(self) -> dict[str, tuple[str, ...]]:
        """Return what was looked for in the place of words that nothing has."""
        return {slot.word: slot.terms for slot in self.slots if slot.guessed}

    def documents(self, terms: Iterable[str]) -> int:
        """Return about how many documents have one of the *terms*, at least."""
        return sum(self.known[term] for term in terms)


class _Frequency(msgspec.Struct, frozen=True):
    place: int
    count: int


@functools.cache
def _frequencies(terms: int) -> Query[_Frequency]:
    """Return the query that counts the documents of so many terms."""
    return Query(sa.union_all(*map(_frequency, range(terms))), _Frequency)


def _frequency(place: int) -> sa.Select[tuple[int, int]]:
    some = sa.select(postings.c.document).where(postings.c.term == bindparam(f"term_{place}")).limit(ENOUGH).subquery()
    count = sa.select(sa.func.count()).select_from(some).scalar_subquery()
    return sa.select(sa.literal_column(str(place)).label("place"), count.label("count"))


SLIPPED: Final = Query(
    sa.select(slips.c.term).distinct().where(slips.c.deletion.in_(bindparam("deletions", expanding=True))).limit(200),
    str,
)


async def read(db: Database, text: str, gates: Sequence[str], *, restricted: bool) -> Reading:
    """Return the reading of *text*, whose last word may not be whole yet.

    The terms *gates* are counted too, and where *restricted* is set, all terms in both spaces.
    """
    said = list(dict.fromkeys(words(text)))
    telling = [word for word in said if word not in STOP_WORDS] or said
    chosen = telling[:MOST_WORDS]
    begun = said[-1] if said and text[-1:].isalnum() else None
    own = [stem(word) for word in chosen]
    if not text.strip():
        chosen, own = [""], [ANYTHING]
    if not chosen:  # signs that are no words
        return Reading((), "", {})
    beginnings = [begun + BEGUN] if begun in chosen else []
    known = await _counted(db, [*own, *beginnings, *gates], restricted=restricted)
    guessed = {
        word: await _guesses(db, term)
        for word, term in zip(chosen, own, strict=True)
        if worth_guessing(word) and not _had(known, [term, *(beginnings if word == begun else [])])
    }
    guesses = [guess for found in guessed.values() for guess in found]
    if guesses:
        known |= await _counted(db, guesses, restricted=restricted)
    slots = [
        _slot(known, word, term, beginnings if word == begun else [], guessed.get(word, ()))
        for word, term in zip(chosen, own, strict=True)
    ]
    return Reading(tuple(slots), NAME + name_of(text), known)


def _slot(known: Mapping[str, int], word: str, own: str, begun: Sequence[str], guesses: Sequence[str]) -> Slot:
    if guesses:
        return _made(word, own, tuple(guesses), GUESS_WORTH, _had(known, guesses), guessed=True)
    terms = (own, *(term for term in begun if _had(known, [term])))
    frequency = max((_had(known, [term]) for term in terms), default=0)
    return _made(word, own, terms, BEGUN_WORTH if len(terms) > 1 else 100, frequency)


def _made(word: str, own: str, terms: tuple[str, ...], worth: int, frequency: int, *, guessed: bool = False) -> Slot:
    weight = max(1, round(8 * math.log2(1 + COMMON / (1 + frequency))))
    return Slot(word=word, own=own, terms=terms, worth=worth, weight=weight, guessed=guessed)


def _had(known: Mapping[str, int], terms: Iterable[str]) -> int:
    """Return how many documents have the *terms*, in both spaces."""
    return sum(known[term] + known.get(RESTRICTED + term, 0) for term in terms)


async def _counted(db: Database, terms: Sequence[str], *, restricted: bool) -> dict[str, int]:
    wanted = list(dict.fromkeys([*terms, *(RESTRICTED + term for term in terms if restricted)]))
    values = {f"term_{place}": key(term) for place, term in enumerate(wanted)}
    found = await db.all(_frequencies(len(wanted)), **values)
    return {wanted[one.place]: one.count for one in found}


async def _guesses(db: Database, word: str) -> tuple[str, ...]:
    """Return the terms that *word* is with one slip, those with the same first letter before others."""
    found = await db.all(SLIPPED, deletions=sorted(deletions(word)))
    near = sorted((term for term in found if one_slip(word, term)), key=lambda term: (term[0] != word[0], term))
    return tuple(near[:MOST_GUESSES])
