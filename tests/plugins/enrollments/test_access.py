"""Access as the sum of grants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kernel import new_id
from kernel.contracts.enrollments import Access
from plugins.enrollments.access import Grant, State, Why, decide, explain, why

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PERSON, COURSE = new_id(), new_id()


def grant(
    state: State = "active", *, starts: timedelta = -DAY, ends: timedelta | None = None, trial: bool = False
) -> Grant:
    """Return a grant whose times are told from now."""
    return Grant(
        id=new_id(),
        user_id=PERSON,
        course_id=COURSE,
        source="trial" if trial else "purchase",
        state=state,
        reason="",
        purchase_id=None,
        starts_at=NOW + starts,
        ends_at=None if ends is None else NOW + ends,
        created_at=NOW,
    )


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (grant(), "counts"),
        (grant(starts=timedelta()), "counts"),
        (grant(ends=DAY), "counts"),
        (grant(ends=timedelta()), "expired"),
        (grant(ends=-DAY / 2), "expired"),
        (grant(starts=DAY), "not-started"),
        (grant("suspended"), "suspended"),
        (grant("revoked"), "revoked"),
        (grant("revoked", ends=-DAY / 2), "revoked"),
    ],
)
def test_a_grant_counts_while_it_is_active_and_its_time_runs(one: Grant, expected: Why) -> None:
    """The first moment counts, the last one no longer."""
    assert why(one, NOW) == expected


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        ([], Access(allowed=False, reason="no-grant")),
        ([grant()], Access(allowed=True, reason="purchase")),
        ([grant("revoked"), grant(starts=DAY)], Access(allowed=False, reason="not-started")),
        ([grant(), grant("revoked")], Access(allowed=True, reason="purchase")),
        ([grant(ends=DAY, trial=True)], Access(allowed=True, reason="trial", until=NOW + DAY)),
        (
            [grant(ends=2 * DAY), grant(ends=DAY, trial=True)],
            Access(allowed=True, reason="purchase", until=NOW + 2 * DAY),
        ),
        ([grant(ends=DAY, trial=True), grant()], Access(allowed=True, reason="purchase")),
    ],
)
def test_access_is_the_best_of_what_counts(grants: list[Grant], expected: Access) -> None:
    """What lasts longest gives the reason; where nothing counts, the newest grant does."""
    assert decide(grants, NOW) == expected


def test_an_explanation_tells_each_grants_part() -> None:
    """It lists those that do not count, too."""
    grants = [grant("revoked"), grant(ends=DAY)]

    told = explain(PERSON, COURSE, grants, NOW)

    assert [(one.grant, one.counts, one.why) for one in told.grants] == [
        (grants[0], False, "revoked"),
        (grants[1], True, "counts"),
    ]
    assert told.access == decide(grants, NOW)
