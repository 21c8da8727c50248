"""A catalogue of 2,000 courses that is the same in every run, each course with the facts it was made from."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, count, islice, product
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


@dataclass(frozen=True)
class Plan:
    """What a title tells of a course."""

    subject: str
    language: str
    angle: str
    focus: str | None


def generate() -> Sequence[Course]:
    """Return the courses; within a category their codes grow."""
    words, chance = vocabulary.read(), random.Random(SEED)
    plans = [plan for language in words.languages for plan in _in_language(words, chance, language)]
    chance.shuffle(plans)
    office = _Office(words, chance)
    return [office.course(plan) for plan in plans]


def _in_language(words: Vocabulary, chance: random.Random, language: str) -> Iterator[Plan]:
    """Deal the courses of a language to the subjects in turn, no two with one title."""
    spoken, decks = words.languages[language], []
    for name, subject in words.subjects.items():
        deck = [Plan(name, language, *made) for made in product(spoken.angles, (None, *subject.terms(language)))]
        decks.append(chance.sample(deck, len(deck)))
    return islice(chain.from_iterable(zip(*decks, strict=True)), spoken.courses)


class _Office:
    """Draws up one course after the other, and remembers which there are."""

    def __init__(self, words: Vocabulary, chance: random.Random) -> None:
        self._words, self._chance = words, chance
        self._numbers = {category: count(101) for category in words.categories}
        self._latest: dict[tuple[str, str], str] = {}  # the code, by subject and language

    def course(self, plan: Plan) -> Course:
        """Return a course to *plan*."""
        subject, language, chance = (
            self._words.subjects[plan.subject],
            self._words.languages[plan.language],
            self._chance,
        )
        facts, code = self._facts(plan), self._code(plan)
        return Course(
            id=uuid5(NAMESPACE_URL, code),
            code=code,
            title=_title(language, subject.name(plan.language), plan),
            summary=_summary(language, subject.name(plan.language), facts.level, chance),
            text=" ".join([*_sentences(self._words, subject, facts), *chance.sample(language.remarks, 2)]),
            language=plan.language,
            category=subject.category,
            level=facts.level,
            price=chance.choice(PRICES),
            currency="EUR",
            rating=round(chance.triangular(2, 5, 4.4), 1) if chance.random() < 0.9 else None,
            duration_seconds=60 * chance.choice(MINUTES),
            instructors=tuple(chance.sample(self._words.people[subject.category], chance.choice((1, 1, 1, 2)))),
            published_at=None
            if chance.randrange(100) < DRAFTS
            else BEGAN + timedelta(minutes=chance.randrange(300_000)),
            facts=facts,
        )

    def _facts(self, plan: Plan) -> Facts:
        subject, chance = self._words.subjects[plan.subject], self._chance
        foreign = subject.name("en").casefold() != subject.name(plan.language).casefold()
        return Facts(
            subject=plan.subject,
            category=subject.category,
            language=plan.language,
            level=vocabulary.level_of(plan.angle),
            angle=plan.angle,
            focus=plan.focus,
            covers=(plan.focus,) if plan.focus else subject.terms(plan.language),
            requires=chance.choice(self._related(plan.subject)) if chance.random() < 0.4 else None,
            after=self._latest.get((plan.subject, plan.language)) if chance.random() < 0.25 else None,
            says_alias=chance.random() < 0.6,
            says_english=foreign and chance.random() < 0.5,
        )

    def _related(self, subject: str) -> Sequence[str]:
        subjects = self._words.subjects
        category = subjects[subject].category
        return [key for key, other in subjects.items() if other.category == category and key != subject]

    def _code(self, plan: Plan) -> str:
        category = self._words.subjects[plan.subject].category
        code = f"{self._words.categories[category]['code']}-{next(self._numbers[category])}"
        self._latest[plan.subject, plan.language] = code
        return code


def _title(language: Language, name: str, plan: Plan) -> str:
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
