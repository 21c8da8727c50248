"""The states of a course and the steps between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from kernel import problems

Status = Literal["draft", "in-review", "published", "archived"]
Action = Literal["submit", "return", "publish", "archive", "restore", "revise"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: from any of *sources* to *target*; *reviewed* steps need a reviewer where reviews are required."""

    sources: tuple[Status, ...]
    target: Status
    reviewed: bool = False


#: A course in one of these states has all that learners need, whatever is changed.
COMPLETE: Final[frozenset[Status]] = frozenset({"in-review", "published"})

STEPS: Final[Mapping[Action, Step]] = {
    "submit": Step(sources=("draft",), target="in-review"),
    "return": Step(sources=("in-review",), target="draft", reviewed=True),
    "publish": Step(sources=("in-review",), target="published", reviewed=True),
    "archive": Step(sources=("published",), target="archived"),
    "restore": Step(sources=("archived",), target="published", reviewed=True),
    "revise": Step(sources=("archived",), target="draft"),
}
#: Without reviews a draft is published at once.
UNREVIEWED_PUBLISH: Final = Step(sources=("draft", "in-review"), target="published")


def step(action: Action, *, review_required: bool) -> Step:
    """Return what *action* does in a deployment that requires reviews, or not."""
    return UNREVIEWED_PUBLISH if action == "publish" and not review_required else STEPS[action]


def check(action: Action, taken: Step, status: str) -> None:
    """Refuse *action* on a course that is not in a state from which it leads.

    Raises:
        problems.Conflict: says in which state the course is and in which it must be.
    """
    if status not in taken.sources:
        raise problems.Conflict(f"The course is {status}; '{action}' needs it to be {' or '.join(taken.sources)}.")
