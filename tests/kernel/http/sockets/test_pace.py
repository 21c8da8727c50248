"""How many frames a client may send, at once and in the long run."""

from __future__ import annotations

import pytest

from kernel.http.sockets.pace import pace


@pytest.mark.parametrize(
    ("rate", "burst", "at_once", "interval"),
    [
        ("50/second", None, 250, 0.02),
        ("10/minute", None, 10, 6.0),
        ("20/10 second", None, 20, 0.5),
        ("50/second", 3, 3, 0.02),
    ],
)
def test_burst_is_of_five_seconds_or_of_the_rates_own_period(
    rate: str, burst: int | None, at_once: int, interval: float
) -> None:
    """Where a socket does not say; never less than the rate's own figure."""
    found = pace(rate, burst)

    assert (found.burst, found.interval) == (at_once, interval)
    assert at_once * interval < found.allowance < (at_once + 1) * interval


def test_pace_says_what_a_client_may_do() -> None:
    """It is the reason for which a connection is closed."""
    assert str(pace("50/second", None)) == "250 frames at once, and 50 in 1 s"


def test_burst_of_nothing_is_refused() -> None:
    """Nobody could send anything."""
    with pytest.raises(ValueError, match="let it be 1 or more"):
        pace("50/second", 0)
