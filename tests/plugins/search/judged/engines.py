"""Engines to judge: one that knows the answers, and one as simple as an engine can be."""

from __future__ import annotations

from collections.abc import Sequence

from plugins.search.judging import Find
from plugins.search.questions import Question
from tests.plugins.search.judged.catalogue import Course


def knowing(questions: Sequence[Question]) -> Find:
    """Return an engine that has read the judgements, and so shows what the best order scores."""
    known = {question.text: question for question in questions}

    async def find(text: str, limit: int) -> Sequence[str]:
        question = known[text]
        return sorted(question.answers, key=lambda one: (one != question.first, -question.answers[one]))[:limit]

    return find


def substring(courses: Sequence[Course]) -> Find:
    """Return an engine that finds what has the very letters in its title or text, in the order of the catalogue."""
    texts = {
        course.code: " ".join([course.code, course.title, course.summary, course.text, *course.instructors]).lower()
        for course in courses
        if course.published_at is not None
    }

    async def find(text: str, limit: int) -> Sequence[str]:
        return [code for code, told in texts.items() if text.lower() in told][:limit]

    return find
