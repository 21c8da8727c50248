"""How long what failed waits for its next try."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

FIRST_DELAY: Final = timedelta(seconds=2)
LONGEST_DELAY: Final = timedelta(minutes=15)


def delay_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts."""
    doublings = min(attempts - 1, 20)  # beyond that the longest delay is reached anyway
    return min(FIRST_DELAY * int(2**doublings), LONGEST_DELAY)
