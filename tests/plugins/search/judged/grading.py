"""Grades the catalogue for the shipped questions: by what each course is about, never by what an engine finds."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from plugins.search.questions import PERFECT, Grade, Question
from tests.plugins.search.judged.catalogue import Course

_FILE: Final = Path(__file__).with_name("questions.toml")


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which courses have a grade: those of which everything that is given is true."""

    grade: Grade
    category: str | None = None
    subject: str | None = None
    language: str | tuple[str, ...] | None = None
    angle: str | None = None
    focus: str | None = None
    covers: str | None = None
    requires: str | None = None
    after: str | None = None
    says_alias: bool | None = None
    says_english: bool | None = None
    instructor: str | None = None

    def among(self, courses: Sequence[Course]) -> Sequence[Course]:
        """Return those of *courses* that have the grade."""
        given = {fact: getattr(self, fact) for fact in self.__struct_fields__ if fact != "grade"}
        wanted = [(fact, value) for fact, value in given.items() if value is not None]
        return [course for course in courses if all(_true_of(course, fact, value) for fact, value in wanted)]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question of which the answers are told by facts."""

    text: str
    kind: str
    first: str | None = None  #: the code of the course that was asked for by name
    answers: tuple[Answer, ...] = ()  #: a course has the highest grade of those that hold


def rules() -> Sequence[Rule]:
    """Return the shipped questions as they are written."""
    return msgspec.convert(tomllib.loads(_FILE.read_text(encoding="utf-8"))["questions"], tuple[Rule, ...])


def questions(
    catalogue: Sequence[Course], key: Callable[[Course], str] = lambda course: course.code
) -> Sequence[Question]:
    """Return the shipped questions, with every published course of *catalogue* graded; *key* names a course."""
    published = [course for course in catalogue if course.published_at is not None]
    keys = {course.code: key(course) for course in published}
    return [_question(rule, published, keys) for rule in rules()]


def grades(rule: Rule, courses: Sequence[Course]) -> Mapping[str, int]:
    """Return the codes of the courses that are answers, and how good an answer each is."""
    ascending = sorted(rule.answers, key=lambda answer: answer.grade)
    graded = {course.code: answer.grade for answer in ascending for course in answer.among(courses)}
    return graded | ({rule.first: PERFECT} if rule.first else {})


def _question(rule: Rule, courses: Sequence[Course], keys: Mapping[str, str]) -> Question:
    return Question(
        text=rule.text,
        kind=rule.kind,
        answers={keys[code]: grade for code, grade in grades(rule, courses).items()},
        first=keys[rule.first] if rule.first else None,
    )


def _true_of(course: Course, fact: str, wanted: str | bool | tuple[str, ...]) -> bool:
    if fact == "instructor":
        return wanted in course.instructors
    known = getattr(course.facts, fact)
    if fact == "covers":
        return wanted in known
    return known in wanted if isinstance(wanted, tuple) else bool(known == wanted)
