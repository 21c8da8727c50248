"""The breaker of one plugin: too many faults within a while put it in quarantine, and after that on probation.

closed ── so many faults within a window ──> quarantined ── its time is over ──> on probation
   ^                                              ^                                │     │
   │                                              └── a quarter of so many faults ─┘     │
   └───────────── a window with fewer ───────────────────────────────────────────────────┘

Each quarantine that follows on a probation lasts twice as long as the one before, up to a bound.
"""

from __future__ import annotations

import enum
import math
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from structlog.typing import FilteringBoundLogger

from kernel.clock import Clock
from kernel.containment.settings import ContainmentSettings
from kernel.http import problems

#: One caller, and one event, can have no more than this part in the faults that close a plugin: whoever finds a request
#: that breaks it is not to close it for everybody, nor to keep it closed.
SHARE: Final = 0.25
#: On probation this part of the faults is enough.
ENOUGH: Final = 0.25


class Fault(enum.StrEnum):
    """What a plugin did wrong."""

    REQUEST = "request"  #: a route or page raised what nobody expected
    TIMEOUT = "timeout"  #: a request or an event took longer than it may
    EVENT = "event"  #: an event handler raised
    TASK = "task"  #: background work raised
    SLOT = "slot"  #: a piece of another plugin's page raised
    BLOCKED = "blocked"  #: nothing else could run for too long


@dataclass(frozen=True)
class Quarantine:
    """Why a plugin is closed, since when, and until when at least."""

    reason: str
    since: datetime
    until: datetime


class Breaker:
    """Counts the faults of one plugin; `shut` is all that whoever is in a hurry has to look at."""

    __slots__ = ("_clock", "_length", "_log", "_probation_ends", "_recent", "_settings", "counts", "held", "shut")

    def __init__(self, settings: ContainmentSettings, *, clock: Clock, log: FilteringBoundLogger) -> None:
        self._settings = settings
        self._clock = clock
        self._log = log
        self._recent: deque[tuple[datetime, Fault, str]] = deque()
        self._length = settings.quarantine
        self._probation_ends: datetime | None = None
        self.counts: Counter[Fault] = Counter()
        self.held: Quarantine | None = None  #: as it was when last looked at; None while closed
        self.shut = False  #: True: ask `rests`, which knows the time

    def rests(self) -> bool:
        """Return whether the plugin is in quarantine now."""
        if self.shut:
            self._look()
        return self.shut

    def refuse(self, plugin: str) -> None:
        """Refuse a request to *plugin* while it is in quarantine.

        Raises:
            problems.PluginQuarantined: it says when to come back, and not why.
        """
        if self.rests() and self.held is not None:
            seconds = math.ceil((self.held.until - self._clock.now()).total_seconds())
            raise problems.PluginQuarantined(
                f"The plugin {plugin!r} failed too often and rests for a while.",
                headers={"Retry-After": str(max(1, seconds))},
                extensions={"plugin": plugin},
            )

    def quarantine(self) -> Quarantine | None:
        """Return the quarantine in which the plugin is, or after which it is on probation."""
        self._look()
        return self.held

    def count(self, fault: Fault, what: str, who: str = "") -> None:
        """Count a *fault*; *what* tells operators of it, *who* is the one caller or event that had a part in it."""
        self.counts[fault] += 1
        now = self._look()
        if self.shut:
            return  # what had begun before
        if self._are_too_many(now, fault, who):
            kinds = Counter(kind for _, kind, _ in self._recent)
            told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
            when = "on probation" if self.held is not None else f"within {self._settings.window:g} s"
            self._close(now, f"{told} {when}, the last: {what}")

    def _are_too_many(self, now: datetime, fault: Fault, who: str) -> bool:
        """Remember a fault; return whether there are too many with this one."""
        oldest = now - timedelta(seconds=self._settings.window)
        while self._recent and not oldest < self._recent[0][0] <= now:  # a clock that was set back forgets as well
            self._recent.popleft()
        most = self._settings.faults if self.held is None else math.ceil(ENOUGH * self._settings.faults)
        if who and sum(1 for one in self._recent if one[2] == who) >= math.ceil(SHARE * most):
            return False
        self._recent.append((now, fault, who))
        return len(self._recent) >= most

    def _close(self, now: datetime, reason: str) -> None:
        seconds = self._length
        self._length = min(2 * seconds, self._settings.longest_quarantine)
        self.held, self.shut = Quarantine(reason, now, now + timedelta(seconds=seconds)), True
        self._probation_ends = None
        self._recent.clear()
        remedy = "mend the cause; a restart ends the quarantine at once"
        self._log.error("plugin in quarantine", action="quarantine", reason=reason, seconds=seconds, remedy=remedy)

    def _look(self) -> datetime:
        """Let the time do what it does; return it."""
        now, held = self._clock.now(), self.held
        if held is None:
            return now
        if self.shut and not held.since <= now < held.until:
            self.shut = False
            self._probation_ends = now + timedelta(seconds=self._settings.window)
            self._log.warning("plugin on probation", action="probation", seconds=self._settings.window)
        elif self._probation_ends is not None and now >= self._probation_ends:
            self.held, self._probation_ends, self._length = None, None, self._settings.quarantine
            self._log.info("plugin works again", action="quarantine-over")
        return now
