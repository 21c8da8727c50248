"""The judged catalogue is what judgements take it for."""

from __future__ import annotations

from collections import Counter
from functools import cache
from hashlib import sha256
from time import process_time

from tests.plugins.search.judged import vocabulary
from tests.plugins.search.judged.catalogue import Course, generate

#: Of all courses and facts. Who changes the catalogue reads the questions again, and then writes the new one here.
DIGEST = "fb9a98f9d554e999916e1d03fb24c6d906c14610f084b0252640841c41ac5cb5"


@cache
def courses() -> tuple[Course, ...]:
    """Return the catalogue."""
    return tuple(generate())


def test_it_is_the_same_in_every_run_and_on_every_python() -> None:
    told = "\n".join(f"{course!r} {course.facts!r}" for course in courses())

    assert sha256(told.encode()).hexdigest() == DIGEST
    assert generate() == list(courses())


def test_it_is_made_in_less_than_a_second() -> None:
    began = process_time()

    generate()

    assert process_time() - began < 1


def test_no_two_of_2000_courses_share_a_code_a_title_or_an_id() -> None:
    for name in ("code", "title", "id"):
        assert len({getattr(course, name) for course in courses()}) == 2000


def test_every_language_has_the_courses_it_was_given() -> None:
    wanted = {key: language.courses for key, language in vocabulary.read().languages.items()}

    assert Counter(course.language for course in courses()) == wanted


def test_every_subject_is_taught_in_every_language() -> None:
    words = vocabulary.read()

    taught = {(course.facts.subject, course.language) for course in courses()}

    assert taught == {(subject, language) for subject in words.subjects for language in words.languages}


def test_a_few_are_drafts_and_a_few_are_not_rated() -> None:
    assert 40 <= sum(course.published_at is None for course in courses()) <= 80
    assert 150 <= sum(course.rating is None for course in courses()) <= 250


def test_facts_are_told_where_they_hold_and_nowhere_else() -> None:
    words = vocabulary.read()
    for course in courses():
        facts, subject = course.facts, words.subjects[course.facts.subject]
        says = words.languages[course.language].says
        assert subject.name(course.language) in course.title
        assert facts.focus is None or facts.focus.casefold() in course.title.casefold()
        assert [term for term in subject.terms(course.language) if term in course.text] == list(facts.covers)
        assert (says["alias"].format(alias=subject.alias) in course.text) == facts.says_alias
        assert (says["english"].format(english=subject.name("en")) in course.text) == facts.says_english
        assert facts.after is None or facts.after in course.text
        assert facts.requires is None or words.subjects[facts.requires].name(course.language) in course.text
        assert words.categories[course.category][course.language] in course.text


def test_who_builds_on_another_course_builds_on_one_of_the_same_subject_and_language() -> None:
    by_code = {course.code: course for course in courses()}
    for course in courses():
        if course.facts.after:
            earlier = by_code[course.facts.after]
            assert (earlier.facts.subject, earlier.language) == (course.facts.subject, course.language)


def test_teachers_teach_in_their_category() -> None:
    people = vocabulary.read().people

    assert all(set(course.instructors) <= set(people[course.category]) for course in courses())
