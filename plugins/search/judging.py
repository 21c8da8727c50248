"""Asks an engine judged questions, and says how well it answers.

An engine is any `async find(text, limit)` that returns codes or ids, the best first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import msgspec

from plugins.search.measures import DEPTH, leads, mean, ndcg
from plugins.search.questions import Question


class Find(Protocol):
    """An engine."""

    def __call__(self, text: str, limit: int, /) -> Awaitable[Sequence[str | UUID]]:
        """Return at most *limit* answers, the best first."""
        ...


@dataclass(frozen=True)
class Verdict:
    """How well one question was answered."""

    question: Question
    found: Sequence[str]
    ndcg: float

    @property
    def led(self) -> bool | None:
        """Return whether what was asked for by name came first, None when nothing was."""
        return None if self.question.first is None else leads(self.found, self.question.first)


@dataclass(frozen=True)
class Score:
    """How well questions were answered, on the whole."""

    questions: int
    ndcg: float
    first: float | None  #: the share in which what was asked for by name came first; None when nothing was


class Bar(msgspec.Struct, frozen=True):
    """What an engine must reach."""

    ndcg: float = 0.90
    first: float = 1.0
    #: Kinds for which less, or more, will do.
    kinds: Mapping[str, float] = msgspec.field(default_factory=lambda: {"one typo": 0.80})


DEFAULT_BAR: Final = Bar()


@dataclass(frozen=True)
class Report:
    """What came of all questions."""

    verdicts: Sequence[Verdict]

    @property
    def overall(self) -> Score:
        """Return the score over all questions."""
        return score(self.verdicts)

    def kinds(self) -> Mapping[str, Score]:
        """Return a score for each kind of question, in the order in which the kinds appeared."""
        sorted_out: dict[str, list[Verdict]] = defaultdict(list)
        for verdict in self.verdicts:
            sorted_out[verdict.question.kind].append(verdict)
        return {kind: score(verdicts) for kind, verdicts in sorted_out.items()}

    def worst(self, number: int = DEPTH) -> Sequence[Verdict]:
        """Return the questions that were answered worst."""
        return sorted(self.verdicts, key=lambda verdict: (verdict.led is not False, verdict.ndcg))[:number]

    def shortfalls(self, bar: Bar = DEFAULT_BAR) -> Sequence[str]:
        """Return a sentence for each thing in which the engine stays below *bar*."""
        return [*self._low(bar), *self._misled(bar)]

    def _low(self, bar: Bar) -> Iterator[str]:
        kinds = self.kinds()
        wanted = {"all questions": (self.overall, bar.ndcg)}
        wanted |= {kind: (kinds[kind], least) for kind, least in bar.kinds.items() if kind in kinds}
        for name, (got, least) in wanted.items():
            if got.ndcg < least:
                yield f"{name}: nDCG@{DEPTH} is {got.ndcg:.3f}; {least:.3f} is wanted"

    def _misled(self, bar: Bar) -> Iterator[str]:
        share = self.overall.first
        if share is not None and share < bar.first:
            missed = ", ".join(repr(verdict.question.text) for verdict in self.verdicts if verdict.led is False)
            yield f"asked for by name, {share:.1%} came first; {bar.first:.1%} is wanted: {missed} did not"


async def judge(find: Find, questions: Sequence[Question]) -> Report:
    """Ask one question after the other."""
    return Report([await _verdict(find, question) for question in questions])


def score(verdicts: Sequence[Verdict]) -> Score:
    """Return how well the questions were answered together."""
    led = [verdict.led for verdict in verdicts if verdict.led is not None]
    return Score(len(verdicts), mean([verdict.ndcg for verdict in verdicts]), mean(led) if led else None)


async def _verdict(find: Find, question: Question) -> Verdict:
    found = [str(one) for one in (await find(question.text, DEPTH))[:DEPTH]]
    return Verdict(question, found, ndcg(found, question.answers))
