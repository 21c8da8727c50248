"""A clock that a test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class MovableClock:
    """The real time and what the test added to it: it goes on by itself and jumps on request."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        """Jump forward by so many seconds."""
        self._ahead += timedelta(seconds=seconds)

    def set(self, moment: datetime) -> None:
        """Jump to *moment*, which has a time zone."""
        self._ahead = moment - datetime.now(UTC)


class StandingClock:
    """A clock that stands still at the moment when it was made."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def now(self) -> datetime:
        return self._now
