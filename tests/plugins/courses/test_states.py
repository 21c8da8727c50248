"""The states of a course."""

from __future__ import annotations

from typing import get_args

import pytest

from kernel import problems
from plugins.courses.states import STEPS, Action, Status, check, step


def test_every_step_leads_where_the_table_says() -> None:
    """The whole state machine, read as a table."""
    found = {action: (step.sources, step.target) for action, step in STEPS.items()}

    assert found == {
        "submit": (("draft",), "in-review"),
        "return": (("in-review",), "draft"),
        "publish": (("in-review",), "published"),
        "archive": (("published",), "archived"),
        "restore": (("archived",), "published"),
        "revise": (("archived",), "draft"),
    }


def test_without_reviews_a_draft_is_published_at_once() -> None:
    """Only publishing differs where no review is required."""
    assert step("publish", review_required=False).sources == ("draft", "in-review")
    assert [action for action in STEPS if step(action, review_required=False) != STEPS[action]] == ["publish"]


@pytest.mark.parametrize("status", get_args(Status))
@pytest.mark.parametrize("action", get_args(Action))
def test_a_step_from_another_state_is_a_conflict(action: Action, status: Status) -> None:
    """The message names the state and those that would do."""
    taken = STEPS[action]
    if status in taken.sources:
        check(action, taken, status)
        return

    with pytest.raises(problems.Conflict, match=f"The course is {status}; '{action}' needs it to be"):
        check(action, taken, status)
