"""Judging tells a good engine from a bad one, and says where it is bad."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from plugins.search.judging import Bar, Find, judge
from plugins.search.questions import Question
from tests.plugins.search.judged import engines
from tests.plugins.search.judged.catalogue import generate
from tests.plugins.search.judged.grading import questions

QUESTIONS = (
    Question(text="knots", kind="one word", answers={"SEA-101": 3, "SEA-204": 1}),
    Question(text="SEA-101", kind="exact code", answers={"SEA-101": 3}, first="SEA-101"),
    Question(text="konts", kind="one typo", answers={"SEA-101": 3}),
)


def answering(**answers: Sequence[str | UUID]) -> Find:
    """Return an engine that knows these answers and no others."""

    async def find(text: str, limit: int) -> Sequence[str | UUID]:
        return answers.get(text.replace("-", ""), ())

    return find


async def test_the_best_order_scores_one_on_all_questions_and_on_every_kind() -> None:
    shipped = questions(generate())

    report = await judge(engines.knowing(shipped), shipped)

    assert report.overall.ndcg == pytest.approx(1)
    assert all(score.ndcg == pytest.approx(1) for score in report.kinds().values())
    assert report.overall.first == 1
    assert report.shortfalls() == []


async def test_looking_for_the_very_letters_stays_clearly_below_the_bar() -> None:
    courses = generate()

    report = await judge(engines.substring(courses), questions(courses))

    kinds = report.kinds()
    assert report.overall.ndcg < 0.6
    assert report.overall.first is not None
    assert report.overall.first < 0.8
    assert kinds["one typo"].ndcg < 0.1
    assert kinds["two languages"].ndcg < 0.1
    assert kinds["nonsense"].ndcg == 1
    assert len(report.shortfalls()) == 3


async def test_finding_nothing_is_right_for_nonsense_only() -> None:
    shipped = questions(generate())

    report = await judge(answering(), shipped)

    assert {kind for kind, score in report.kinds().items() if score.ndcg > 0} == {"nonsense"}


async def test_a_score_is_told_for_every_kind() -> None:
    report = await judge(answering(knots=["SEA-101", "SEA-204"], SEA101=["SEA-204", "SEA-101"]), QUESTIONS)

    kinds = report.kinds()
    assert list(kinds) == ["one word", "exact code", "one typo"]
    assert (kinds["one word"].ndcg, kinds["one word"].first) == (1, None)
    assert (kinds["exact code"].questions, kinds["exact code"].first) == (1, 0)
    assert kinds["one typo"].ndcg == 0


async def test_each_way_of_falling_short_is_told() -> None:
    report = await judge(answering(knots=["SEA-101", "SEA-204"], SEA101=["SEA-204", "SEA-101"]), QUESTIONS)

    assert report.shortfalls() == [
        "all questions: nDCG@10 is 0.544; 0.900 is wanted",
        "one typo: nDCG@10 is 0.000; 0.800 is wanted",
        "asked for by name, 0.0% came first; 100.0% is wanted: 'SEA-101' did not",
    ]
    assert report.shortfalls(Bar(ndcg=0.5, first=0, kinds={"one typo": 0})) == []


async def test_what_was_asked_for_by_name_must_not_come_second() -> None:
    """Even where the whole is good enough."""
    report = await judge(answering(SEA101=["SEA-204", "SEA-101"]), QUESTIONS[1:2])

    assert report.shortfalls(Bar(ndcg=0.5)) != []


async def test_the_worst_answered_come_first() -> None:
    """Among them what was asked for by name and did not lead."""
    report = await judge(answering(knots=["SEA-204", "SEA-101"], SEA101=["SEA-204", "SEA-101"]), QUESTIONS)

    assert [verdict.question.text for verdict in report.worst()] == ["SEA-101", "konts", "knots"]
    assert [verdict.question.text for verdict in report.worst(1)] == ["SEA-101"]


async def test_an_engine_may_answer_with_ids() -> None:
    course = uuid4()

    report = await judge(answering(knots=[course]), [Question(text="knots", kind="one word", answers={str(course): 3})])

    assert report.overall.ndcg == 1


async def test_answers_beyond_the_limit_do_not_count() -> None:
    late = [*(f"SEA-{number}" for number in range(300, 310)), "SEA-101"]

    report = await judge(answering(konts=late), QUESTIONS[2:])

    assert report.overall.ndcg == 0
    assert len(report.verdicts[0].found) == 10
