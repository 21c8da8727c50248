"""The shipped questions make sense, and those of an institution are read with care."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import msgspec
import pytest

from plugins.search.questions import Question, parse
from tests.plugins.search.judged.catalogue import Course, generate
from tests.plugins.search.judged.grading import Answer, Rule, grades, questions, rules

NOTHING = "nonsense"


@pytest.fixture(scope="module")
def courses() -> list[Course]:
    """Return the catalogue."""
    return list(generate())


@pytest.fixture(scope="module")
def shipped(courses: list[Course]) -> list[Question]:
    """Return the graded questions."""
    return list(questions(courses))


def test_there_are_many_of_every_kind(shipped: list[Question]) -> None:
    kinds = Counter(question.kind for question in shipped)

    assert len(shipped) >= 150
    assert min(kinds.values()) >= 8
    assert len(kinds) >= 14


def test_nobody_asks_twice(shipped: list[Question]) -> None:
    assert [text for text, times in Counter(question.text for question in shipped).items() if times > 1] == []


def test_there_is_what_people_hope_for_unless_they_ask_nonsense(shipped: list[Question]) -> None:
    assert [
        question.text for question in shipped if question.kind != NOTHING and 3 not in question.answers.values()
    ] == []
    assert [question.text for question in shipped if question.kind == NOTHING and question.answers] == []


def test_a_title_is_asked_for_as_it_stands(courses: list[Course]) -> None:
    """But for capitals and the marks between words."""
    titles = {course.code: course.title for course in courses}

    asked = [rule for rule in rules() if rule.kind == "exact title"]

    assert {rule.text: letters(titles[str(rule.first)]) for rule in asked} == {
        rule.text: letters(rule.text) for rule in asked
    }


def test_a_code_is_asked_for_as_people_write_it() -> None:
    asked = [rule for rule in rules() if rule.kind == "exact code"]

    assert {rule.text: letters(str(rule.first)) for rule in asked} == {rule.text: letters(rule.text) for rule in asked}


def test_only_what_is_published_is_an_answer(courses: list[Course], shipped: list[Question]) -> None:
    drafts = {course.code for course in courses if course.published_at is None}

    assert all(drafts.isdisjoint(question.answers) for question in shipped)


def test_answers_can_be_named_by_id(courses: list[Course]) -> None:
    by_id = questions(courses, lambda course: str(course.id))

    assert all(UUID(one) for question in by_id for one in question.answers)
    assert [len(question.answers) for question in by_id] == [len(question.answers) for question in questions(courses)]


def test_a_course_has_the_highest_grade_of_the_answers_that_hold(courses: list[Course]) -> None:
    course = next(course for course in courses if course.facts.subject == "linux" and course.language == "de")
    answers = (
        Answer(grade=1, subject="linux"),
        Answer(grade=2, subject="linux", language=("de", "fr")),
        Answer(grade=3, subject="linux", language="en"),
    )

    assert grades(Rule(text="linux", kind="one word", answers=answers), [course]) == {course.code: 2}
    assert grades(Rule(text="linux", kind="one word", answers=answers[2:]), [course]) == {}
    assert grades(Rule(text="linux", kind="one word", answers=answers, first=course.code), [course]) == {course.code: 3}


def test_an_institution_writes_its_own() -> None:
    (question,) = parse(
        """
        [[questions]]
        text = "knots"
        kind = "several words"
        first = "SEA-101"
        answers = { "SEA-101" = 3, "SEA-204" = 1 }
        """
    )

    assert (question.first, question.answers) == ("SEA-101", {"SEA-101": 3, "SEA-204": 1})


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("answers = { A = 4 }", r"\$.questions\[0\].answers"),
        ("answers = { A = 0 }", r"\$.questions\[0\].answers"),
        ('first = "A"', "'A' shall come first; grade it 3 in `answers`"),
        ('first = "A"\nanswers = { A = 2 }', "'A' shall come first; grade it 3 in `answers`"),
        ("answer = { A = 3 }", "unknown field `answer`"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(line: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse(f'[[questions]]\ntext = "knots"\nkind = "one word"\n{line}')


def test_a_file_without_questions_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="questions"):
        parse("questions = []")


def letters(text: str) -> str:
    """Return *text* without capitals and marks."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())
