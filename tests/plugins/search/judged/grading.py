"""Grades the courses of the catalogue for the shipped questions: by what each is about, never by what an engine finds."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from tests.plugins.search.judged.catalogue import Course
from tests.plugins.search.judged.questions import Grade, Question

_FILE: Final = Path(__file__).with_name("questions.toml")


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which courses have a grade: those of which everything that is given is true."""

    grade: Grade
    code: str | None = None
    category: str | None = None
    subject: str | None = None
    language: str | None = None
    level: str | None = None
    angle: str | None = None
    focus: str | None = None
    covers: str | None = None
    requires: str | None = None
    after: str | None = None
    says_alias: bool | None = None
    says_english: bool | None = None
    instructor: str | None = None

    def holds(self, course: Course) -> bool:
        """Return whether *course* has the grade."""
        return all(_true_of(course, fact, wanted) for fact, wanted in self._wanted())

    def _wanted(self) -> Iterator[tuple[str, str | bool]]:
        given = ((fact, getattr(self, fact)) for fact in self.__struct_fields__ if fact != "grade")
        return ((fact, wanted) for fact, wanted in given if wanted is not None)


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question of which the answers are told by facts."""

    text: str
    kind: str
    first: str | None = None  #: the code of the course that was asked for by name
    answers: tuple[Answer, ...] = ()  #: a course has the highest grade of those that hold


def rules() -> Sequence[Rule]:
    """Return the shipped questions as they are written."""
    return msgspec.convert(tomllib.loads(_FILE.read_text(encoding="utf-8"))["questions"], tuple[Rule, ...])


def questions(catalogue: Sequence[Course], key: Callable[[Course], str] = lambda course: course.code) -> Sequence[Question]:
    """Return the shipped questions, with every published course of *catalogue* graded; *key* names a course."""
    published = [course for course in catalogue if course.published_at is not None]
    keys = {course.code: key(course) for course in published}
    return [_question(rule, published, keys) for rule in rules()]


def grade(rule: Rule, course: Course) -> int:
    """Return how good an answer *course* is, 0 when it is none."""
    if course.code == rule.first:
        return 3
    return max((answer.grade for answer in rule.answers if answer.holds(course)), default=0)


def _question(rule: Rule, courses: Sequence[Course], keys: dict[str, str]) -> Question:
    graded = {keys[course.code]: grade(rule, course) for course in courses}
    return Question(
        text=rule.text,
        kind=rule.kind,
        answers={course: grade for course, grade in graded.items() if grade},
        first=keys[rule.first] if rule.first else None,
    )


def _true_of(course: Course, fact: str, wanted: str | bool) -> bool:
    if fact == "code":
        return course.code == wanted
    if fact == "instructor":
        return wanted in course.instructors
    if fact == "covers":
        return wanted in course.facts.covers
    return bool(getattr(course.facts, fact) == wanted)
