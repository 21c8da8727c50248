"""How much each term says of a document: computed when it is indexed, so that a search only adds numbers up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from kernel.contracts.search import EVERYBODY, Document
from plugins.search.vectors import GREATEST_IMPACT
from plugins.search.words import STOP_WORDS, apart, name_of, stem, words

#: The term that every document has: a search without words goes by it.
ANYTHING: Final = ""
FACETS: Final = ("kind", "category", "level", "language")
#: Before a whole name, which is a term of its own, so that what is called exactly like the query is found at once.
NAME: Final = "="
#: Behind a beginning, so that a word that is still being typed is looked up like a whole one.
BEGUN: Final = "*"
#: Before the id of somebody who teaches what the document is about.
TEACHES: Final = "~"
#: Before a reader, in documents that are not for everybody.
READS: Final = "@"
#: Before every term of a document that is not for everybody: who may read nothing but what all may never comes by it.
RESTRICTED: Final = "!"
#: Before, between and behind the readers of a document.
BOUND: Final = "\n"
LONGEST_BEGINNING: Final = 12  # letters

NAME_IMPACT: Final = 1000
CODE, TITLE, TEACHER, TAG, SUMMARY, TEXT = 400, 300, 220, 150, 80, 40  # for a term that stands there once
MOST: Final = 8  # times that a term may stand in a text and still add to its impact
BEST_QUALITY: Final = 25  # tells apart what the words do not


def weigh(document: Document) -> Mapping[str, int]:
    """Return the terms by which *document* is found, each with its impact."""
    weighed: Counter[str] = Counter()
    for text, weight in _fields(document):
        for term, times in Counter(map(stem, apart(text))).items():
            weighed[term] += round(weight * math.sqrt(min(times, MOST)) * _density(text, weight))
    quality = _quality(document)
    terms = {term: min(impact + quality, GREATEST_IMPACT) for term, impact in weighed.items()}
    terms |= {begun + BEGUN: TITLE + quality for begun in _beginnings(document)}
    terms |= {NAME + name: NAME_IMPACT + quality for name in _names(document)}
    return terms | dict.fromkeys((ANYTHING, *_gates(document)), 1 + quality)


def column_of(term: str) -> str:
    """Return the column of `documents` in which *term* is looked up; none where its row has it in another way."""
    if term.startswith((NAME, READS)) or ":" in term:
        return ""
    return "begun" if term.endswith(BEGUN) else "words"


def of_facet(facet: str, value: str) -> str:
    """Return the term of what has this value of a facet; no word holds a colon."""
    return f"{facet}:{value}"


def worth_guessing(term: str) -> bool:
    """Return whether *term* is a word that somebody might misspell."""
    return len(term) > 3 and term.isalpha() and term not in STOP_WORDS


def _fields(document: Document) -> Iterator[tuple[str, int]]:
    yield document.code, CODE
    yield document.title, TITLE
    yield document.summary, SUMMARY
    yield document.text, TEXT
    yield from ((teacher.name, TEACHER) for teacher in document.instructors)
    yield from ((word, TAG) for word in (*document.words, document.category, document.level))


def _density(text: str, weight: int) -> float:
    """Return less for a long title, of which each word says less; texts are long anyway."""
    return 1.0 if weight < TITLE else 1 / (1 + 0.04 * max(0, len(text.split()) - 3))


def _quality(document: Document) -> int:
    return 0 if document.rating is None else round(BEST_QUALITY * (document.rating - 1) / 4)


def _beginnings(document: Document) -> set[str]:
    begun = {word for text in (document.code, document.title) for word in words(text)}
    begun |= {word for teacher in document.instructors for word in words(teacher.name)}
    return {word[:length] for word in begun for length in range(1, min(len(word), LONGEST_BEGINNING) + 1)}


def _gates(document: Document) -> Iterator[str]:
    yield from (of_facet(facet, getattr(document, facet)) for facet in FACETS if getattr(document, facet))
    yield from (f"{TEACHES}{teacher.id}" for teacher in document.instructors)
    if document.kind == "instructor":
        yield f"{TEACHES}{document.id}"
    if EVERYBODY not in document.readers:
        yield from (READS + reader for reader in document.readers)


def _names(document: Document) -> set[str]:
    return {name for name in (name_of(document.title), name_of(document.code)) if name}
