"""A catalogue of 2,000 courses that is the same in every run, each course with the facts it was made from."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, product
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from tests.plugins.search.judged import vocabulary
from tests.plugins.search.judged.vocabulary import Language, Subject, Vocabulary

SEED: Final = 20260101
BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)
#: Minor units of euro.
PRICES: Final = (0, 0, 900, 1900, 2900, 4900, 7900, 14900, 24900)
MINUTES: Final = (45, 90, 180, 300, 480, 720, 1200, 2400)
#: Of a hundred courses so many are drafts, which nobody but their teachers may find.
DRAFTS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a course is about, which judgements go by; a word of its text that is no fact is there by chance."""

    subject: str
    category: str
    language: str
    level: str
    angle: str  #: how its title takes the subject: `introduction`, `exam`, …
    focus: str | None  #: the one thing it dwells on, named in title and text
    covers: tuple[str, ...]  #: what its text names of the subject
    requires: str | None  #: another subject, named in its text only
    after: str | None  #: the code of another course, named in its text only
    says_alias: bool  #: its text gives the subject's short name too
    says_english: bool  #: its text gives the English name too, which is not its own


@dataclass(frozen=True, kw_only=True)
class Course:
    """A course as a source would hand it to a search."""

    id: UUID
    code: str
    title: str
    summary: str
    text: str
    language: str
    category: str  #: its key; the text has its name
    level: str
    price: int
    currency: str
    rating: float | None  #: 1 to 5, None while nobody rated it
    duration_seconds: int
    instructors: tuple[str, ...]
    published_at: datetime | None  #: None while it is a draft
    facts: Facts = field(repr=False)


def generate() -> Sequence[Course]:
    """Return the courses; within a category their codes grow."""
    words, chance = vocabulary.read(), random.Random(SEED)
    codes = {key: _codes(category["code"]) for key, category in words.categories.items()}
    told: dict[tuple[str, str], str] = {}
    return [_course(words, chance, plan, codes, told) for plan in _plans(words, chance)]


def _codes(prefix: str) -> Iterator[str]:
    return (f"{prefix}-{number}" for number in count(101))


@dataclass(frozen=True)
class _Plan:
    subject: str
    language: str
    angle: str
    focus: str | None


def _plans(words: Vocabulary, chance: random.Random) -> Sequence[_Plan]:
    """Return what the courses shall be, no two with one title."""
    plans = [plan for key, language in words.languages.items() for plan in _in_language(words, chance, key, language)]
    chance.shuffle(plans)
    return plans


def _in_language(words: Vocabulary, chance: random.Random, key: str, language: Language) -> Iterator[_Plan]:
    """Deal the courses of a language to the subjects in turn."""
    decks = []
    for name, subject in words.subjects.items():
        deck = [_Plan(name, key, *made) for made in product(language.angles, (None, *subject.terms(key)))]
        decks.append(chance.sample(deck, len(deck)))
    turns = (deck[turn] for turn in range(len(decks[0])) for deck in decks)
    for _, plan in zip(range(language.courses), turns, strict=False):
        yield plan


def _course(
    words: Vocabulary,
    chance: random.Random,
    plan: _Plan,
    codes: Mapping[str, Iterator[str]],
    told: dict[tuple[str, str], str],
) -> Course:
    subject, language = words.subjects[plan.subject], words.languages[plan.language]
    facts = _facts(words, chance, plan, told)
    code = next(codes[subject.category])
    told[plan.subject, plan.language] = code
    return Course(
        id=uuid5(NAMESPACE_URL, code),
        code=code,
        title=_title(language, subject.name(plan.language), plan),
        summary=_summary(language, subject.name(plan.language), facts.level, chance),
        text=" ".join([*_sentences(words, subject, facts), *chance.sample(language.remarks, 2)]),
        language=plan.language,
        category=subject.category,
        level=facts.level,
        price=chance.choice(PRICES),
        currency="EUR",
        rating=round(chance.triangular(2, 5, 4.4), 1) if chance.random() < 0.9 else None,
        duration_seconds=60 * chance.choice(MINUTES),
        instructors=tuple(chance.sample(words.people[subject.category], chance.choice((1, 1, 1, 2)))),
        published_at=None if chance.randrange(100) < DRAFTS else BEGAN + timedelta(minutes=chance.randrange(300_000)),
        facts=facts,
    )


def _facts(words: Vocabulary, chance: random.Random, plan: _Plan, told: Mapping[tuple[str, str], str]) -> Facts:
    subject = words.subjects[plan.subject]
    related = [key for key, other in words.subjects.items() if other.category == subject.category and other != subject]
    foreign = subject.name("en").casefold() != subject.name(plan.language).casefold()
    return Facts(
        subject=plan.subject,
        category=subject.category,
        language=plan.language,
        level=vocabulary.level_of(plan.angle),
        angle=plan.angle,
        focus=plan.focus,
        covers=(plan.focus,) if plan.focus else subject.terms(plan.language),
        requires=chance.choice(related) if chance.random() < 0.4 else None,
        after=told.get((plan.subject, plan.language)) if chance.random() < 0.25 else None,
        says_alias=chance.random() < 0.6,
        says_english=foreign and chance.random() < 0.5,
    )


def _title(language: Language, name: str, plan: _Plan) -> str:
    title = language.angles[plan.angle].format(name=name)
    return language.focus.format(title=title, term=_capital(plan.focus)) if plan.focus else title


def _capital(term: str) -> str:
    return term[0].upper() + term[1:]


def _summary(language: Language, name: str, level: str, chance: random.Random) -> str:
    audience = chance.choice(language.audience)
    return language.says["summary"].format(name=name, audience=audience, level=language.levels[level])


def _sentences(words: Vocabulary, subject: Subject, facts: Facts) -> Iterator[str]:
    """Yield what the text says, each sentence only where the facts hold it."""
    says = words.languages[facts.language].says
    yield says["covers"].format(terms=", ".join(facts.covers))
    if facts.says_alias:
        yield says["alias"].format(alias=subject.alias)
    if facts.says_english:
        yield says["english"].format(english=subject.name("en"))
    if facts.requires:
        yield says["requires"].format(required=words.subjects[facts.requires].name(facts.language))
    if facts.after:
        yield says["after"].format(after=facts.after)
    yield says["department"].format(category=words.categories[facts.category][facts.language])
