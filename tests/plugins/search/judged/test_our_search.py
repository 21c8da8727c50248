"""The search answers the judged questions well, the same on both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from kernel.contracts.search import EVERYBODY, Document, Query, Teacher, person
from kernel.testing.deploying import Deploy
from plugins.search.judging import Bar, judge
from tests.plugins.search.judged.catalogue import Course, generate
from tests.plugins.search.judged.grading import questions
from tests.plugins.search.library import book, open_library

#: What the search reached when it was judged last, a little less: whoever makes it worse is told.
BAR: Final = Bar(ndcg=0.95, first=1.0, kinds={"one typo": 0.95})


async def test_judged_questions_are_answered_well(deploy: Deploy) -> None:
    """Over 2,000 courses: by titles, codes, topics, people, slips and several languages."""
    library = await open_library(deploy)
    courses = generate()
    await library.stock(*map(document, courses))

    async def find(text: str, limit: int) -> Sequence[str]:
        found = await library.search.find(None, Query(text=text, limit=limit))
        return [hit.found.code for hit in found.hits]

    report = await judge(find, questions(courses))

    assert report.shortfalls(BAR) == []


async def test_institution_judges_by_questions_of_its_own(deploy: Deploy, tmp_path: Path) -> None:
    """The command tells how well they are answered, and fails where that is not enough."""
    library = await open_library(deploy)
    await library.put(book("Knots", code="SEA-101"), book("Sails"))
    file = tmp_path / "questions.toml"
    file.write_text('[[questions]]\ntext = "knots"\nkind = "ours"\nfirst = "SEA-101"\nanswers = { "SEA-101" = 3 }\n')

    good = await library.deployment.command("search", "judge", str(file))
    file.write_text('[[questions]]\ntext = "sails"\nkind = "ours"\nanswers = { "SEA-101" = 3 }\n')
    bad = await library.deployment.command("search", "judge", str(file))
    file.write_text('[[questions]]\ntext = "sails"\nkind = "ours"\nfirst = "SEA-101"\n')
    wrong = await library.deployment.command("search", "judge", str(file))

    assert (good.exit_code, "ours: nDCG@10 1.000 over 1, 100% of names first" in good.output) == (0, True)
    assert (bad.exit_code, "nDCG@10 is 0.000; 0.900 is wanted" in bad.output) == (1, True)
    assert (wrong.exit_code, "'SEA-101' shall come first; grade it 3" in wrong.output) == (1, True)


def document(course: Course) -> Document:
    """Return the course as a source tells it."""
    told: Mapping[str, object] = {name: getattr(course, name) for name in _TOLD}
    teachers = tuple(Teacher(id=_person(name), name=name) for name in course.instructors)
    readers = (EVERYBODY,) if course.published_at is not None else tuple(person(one.id) for one in teachers)
    return msgspec.convert(
        {**told, "kind": "course", "path": "/", "instructors": teachers, "readers": readers}, Document
    )


_TOLD: Final = (
    *("id", "code", "title", "summary", "text", "language", "category", "level"),
    *("price", "currency", "rating", "duration_seconds", "published_at"),
)


def _person(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, name)
