"""How often something may be done: moving windows in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from math import ceil
from typing import Final

from limits import parse

from kernel import Clock

CLEANING_PERIOD: Final = 4096  # hits


class Pace:
    """Counts what is done at *rate*, by key."""

    def __init__(self, rate: str, clock: Clock) -> None:
        item = parse(rate)
        self._limit, self._seconds = item.amount, item.get_expiry()
        self._clock = clock
        self._windows: dict[Hashable, deque[float]] = {}
        self._hits = 0

    def take(self, key: Hashable) -> int:
        """Count one more of *key* and return 0; where that is too many, the seconds after which it is not."""
        now = self._clock.now().timestamp()
        self._clean(now)
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = deque()
        while window and window[0] <= now - self._seconds:
            window.popleft()
        if len(window) >= self._limit:
            return max(ceil(window[0] + self._seconds - now), 1)
        window.append(now)
        return 0

    def _clean(self, now: float) -> None:
        self._hits += 1
        if self._hits % CLEANING_PERIOD == 0:
            earliest = now - self._seconds
            self._windows = {key: hits for key, hits in self._windows.items() if hits and hits[-1] > earliest}
