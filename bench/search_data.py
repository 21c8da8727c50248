"""Courses to search among, as many as are wanted and one at a time.

Their words follow Zipf's law, so that it is known beforehand in how many of them a word of a query stands.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final
from uuid import UUID

SEED: Final = 2
BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)
SYLLABLES: Final = (
    *("ka", "lo", "mi", "ne", "ru", "ta", "vo", "si", "pe", "du"),
    *("ga", "bo", "ti", "ze", "fa", "no", "ri", "mu", "le", "so"),
)
WORDS: Final = 30_000
#: Words of the title, of the summary and of the text.
TITLE: Final = 4
SUMMARY: Final = 12
TEXT: Final = 50
CATEGORIES: Final = tuple(f"category-{number}" for number in range(12))
LEVELS: Final = ("beginner", "intermediate", "advanced")
LANGUAGES: Final = ("en", "de", "fr", "es", "ar", "fa")
#: Of a hundred courses so many are taught in each of `LANGUAGES`.
SPOKEN: Final = (50, 15, 12, 12, 6, 5)
TEACHERS: Final = 20_000
#: For each share of documents in which a word may stand, the rank of the first such word, counted from the commonest.
CLASSES: Final[Mapping[str, int]] = {"rare 0.1 %": 7_000, "mid 1.2 %": 600, "common 12 %": 50, "huge 60 %": 5}


@dataclass(frozen=True, kw_only=True)
class SearchCourse:
    """A course as a source would hand it to a search."""

    id: UUID
    code: str
    title: str
    summary: str
    text: str
    category: str
    level: str
    language: str
    price: int  #: minor units
    rating: float
    duration_seconds: int
    instructor: str
    published_at: datetime


def word(rank: int) -> str:
    """Return the made-up word of a rank: of three syllables or more, so no stop word, and hardly ever with a stem."""
    number, spelled = rank + len(SYLLABLES) ** 2, ""
    while number:
        number, syllable = divmod(number, len(SYLLABLES))
        spelled += SYLLABLES[syllable]
    return spelled + "x"


VOCABULARY: Final = tuple(word(rank) for rank in range(WORDS))
#: Running sums of how often the words are said.
SAID: Final = tuple(accumulate(1 / (rank + 3) for rank in range(WORDS)))


def course_id(number: int) -> UUID:
    """Return the id of the course of a number; ids ascend as the numbers do."""
    return UUID(int=(SEED << 64) + number)


def number_of(course: UUID) -> int:
    """Return the number of the course with this id."""
    return course.int - (SEED << 64)


def search_course(number: int) -> SearchCourse:
    """Return the course of a number from 1 on, the same in every run."""
    chance = random.Random((SEED << 32) + number)
    words = chance.choices(VOCABULARY, cum_weights=SAID, k=TITLE + SUMMARY + TEXT)
    return SearchCourse(
        id=course_id(number),
        code=f"C-{number}",
        title=" ".join(words[:TITLE]),
        summary=" ".join(words[TITLE : TITLE + SUMMARY]),
        text=" ".join(words[TITLE + SUMMARY :]),
        category=chance.choice(CATEGORIES),
        level=chance.choice(LEVELS),
        language=chance.choices(LANGUAGES, SPOKEN)[0],
        price=100 * chance.randrange(200),
        rating=round(chance.triangular(1, 5, 4.4), 1),
        duration_seconds=60 * chance.randrange(20, 3_000),
        instructor=f"Teacher {chance.randrange(TEACHERS)}",
        published_at=BEGAN + timedelta(seconds=chance.randrange(20_000_000)),
    )


def search_courses(number: int) -> Iterator[SearchCourse]:
    """Yield *number* courses, the same in every run; none is kept."""
    return map(search_course, range(1, number + 1))


def words_of(kind: str, number: int = 12) -> Sequence[str]:
    """Return words of one of `CLASSES`, each of which stands in about as many documents."""
    return VOCABULARY[CLASSES[kind] : CLASSES[kind] + number]


def queries(number: int, words: int) -> Iterator[str]:
    """Yield what people type, the same in every run: common words more often than rare ones, each word once a query."""
    chance = random.Random(SEED + words)
    for _ in range(number):
        typed: dict[str, None] = {}
        while len(typed) < words:
            typed[chance.choices(VOCABULARY, cum_weights=SAID)[0]] = None
        yield " ".join(typed)
