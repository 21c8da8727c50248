"""Reading a query: which words it has, and for which terms of the index each of them stands."""

from __future__ import annotations

import math
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.database import Database, Query
from plugins.search.tables import postings, slips
from plugins.search.weighing import ANYTHING, BEGUN, NAME, worth_guessing
from plugins.search.words import STOP_WORDS, deletions, name_of, one_slip, stem, words

MOST_WORDS: Final = 8  # further ones are left out
MOST_GUESSES: Final = 4
#: Documents of a term that are counted; what more have says equally little.
ENOUGH: Final = 5000
#: Of a hundred: what a term counts that is not the word itself.
BEGUN_WORTH, GUESS_WORTH = 70, 60


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One word of a query, with the terms that it stands for."""

    word: str
    own: str  #: the term that is the word itself
    terms: tuple[str, ...]  #: all of them
    worth: int  #: of a hundred: what the others count
    weight: int  #: rarer words weigh more
    documents: int  #: that have one of the terms, counted up to `ENOUGH`
    guessed: bool = False


class Reading(msgspec.Struct, frozen=True):
    """A query as the index understands it."""

    slots: tuple[Slot, ...]  #: the rarest first
    name: str  #: the term of what is called exactly like the query

    @property
    def corrected(self) -> dict[str, tuple[str, ...]]:
        """Return what was looked for in the place of words that nothing has."""
        return {slot.word: slot.terms for slot in self.slots if slot.guessed}


_some: Final = sa.select(postings.c.document).where(postings.c.term == bindparam("term")).limit(ENOUGH)
FREQUENCY: Final = Query(sa.select(sa.func.count().label("count")).select_from(_some.subquery()), int)
SLIPPED: Final = Query(
    sa.select(slips.c.term).distinct().where(slips.c.deletion.in_(bindparam("deletions", expanding=True))).limit(200),
    str,
)


async def read(db: Database, text: str) -> Reading:
    """Return the reading of *text*, whose last word may not be whole yet."""
    said = list(dict.fromkeys(words(text)))
    telling = [word for word in said if word not in STOP_WORDS] or said
    last = said[-1] if said and text[-1:].isalnum() else None
    slots = [await _slot(db, word, begun=word == last) for word in telling[:MOST_WORDS]]
    if not slots and not text.strip():
        slots = [_made("", ANYTHING, (ANYTHING,), 100, await db.one(FREQUENCY, term=ANYTHING))]
    return Reading(tuple(sorted(slots, key=lambda slot: slot.documents)), NAME + name_of(text))


async def _slot(db: Database, word: str, *, begun: bool) -> Slot:
    own = stem(word)
    frequency = await db.one(FREQUENCY, term=own)
    if begun:
        more = await db.one(FREQUENCY, term=word + BEGUN)
        if more:
            return _made(word, own, (own, word + BEGUN), BEGUN_WORTH, max(frequency, more))
    if frequency or not worth_guessing(word):
        return _made(word, own, (own,), 100, frequency)
    guesses = await _guesses(db, own)
    counts = [await db.one(FREQUENCY, term=guess) for guess in guesses]
    slot = _made(word, own, guesses or (own,), GUESS_WORTH, sum(counts))
    return msgspec.structs.replace(slot, guessed=bool(guesses))


async def _guesses(db: Database, word: str) -> tuple[str, ...]:
    """Return the terms that *word* is with one slip, those with the same first letter before others."""
    found = await db.all(SLIPPED, deletions=sorted(deletions(word)))
    near = sorted((term for term in found if one_slip(word, term)), key=lambda term: (term[0] != word[0], term))
    return tuple(near[:MOST_GUESSES])


def _made(word: str, own: str, terms: tuple[str, ...], worth: int, frequency: int) -> Slot:
    weight = max(1, round(8 * math.log2(1 + 2 * ENOUGH / (1 + frequency))))
    return Slot(word=word, own=own, terms=terms, worth=worth, weight=weight, documents=min(frequency, ENOUGH))
