"""The numbers of one socket."""

from __future__ import annotations

from collections import Counter


class SocketMetrics:
    """What was opened, heard and closed, and why."""

    __slots__ = ("closed", "labels", "messages", "opened")

    def __init__(self, labels: tuple[str, str]) -> None:
        self.labels = labels
        self.opened = 0
        self.messages = 0
        self.closed: Counter[int] = Counter()

    def close(self, code: int) -> None:
        """Count one that is gone."""
        self.closed[code] += 1
