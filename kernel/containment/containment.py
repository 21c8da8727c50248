"""The breakers of one process, and the one place where a failure becomes a fault of somebody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import structlog
from structlog.typing import FilteringBoundLogger

from kernel.clock import Clock, SystemClock
from kernel.containment.blame import Owners, is_meant, is_outage, told
from kernel.containment.breaker import Breaker, Fault
from kernel.containment.settings import ContainmentSettings

KERNEL: Final = "kernel"  #: counted like a plugin, and never shut
LONGEST: Final = 300  # characters of what is told of a fault


class Containment:
    """Counts the faults of every plugin; *owners* knows whose code broke."""

    def __init__(
        self,
        settings: ContainmentSettings | None = None,
        *,
        owners: Owners | None = None,
        clock: Clock | None = None,
        log: FilteringBoundLogger | None = None,
    ) -> None:
        self._settings = settings or ContainmentSettings()
        self._owners = owners or Owners({})
        self._clock = clock or SystemClock()
        self._log = log or structlog.get_logger()
        self._breakers: dict[str, Breaker] = {}

    def __iter__(self) -> Iterator[tuple[str, Breaker]]:
        """Yield each plugin with its breaker."""
        yield from self._breakers.items()

    def of(self, plugin: str) -> Breaker:
        """Return the breaker of *plugin*, the same object at every call."""
        if plugin not in self._breakers:
            kind = _NeverShut if plugin == KERNEL else Breaker
            self._breakers[plugin] = kind(self._settings, clock=self._clock, log=self._log.bind(plugin=plugin))
        return self._breakers[plugin]

    def failed(self, plugin: str, fault: Fault, error: BaseException, *, what: str, who: str = "") -> None:
        """Count *error* for the plugin in whose code it was raised, or for *plugin*, which was at it.

        A meant answer and an outage of what all share are nobody's fault.
        """
        if is_meant(error) or is_outage(error):
            return
        if isinstance(error, TimeoutError) and self._owners.waits_for_a_server(error):
            return  # the plugin's own limit of time, and a database that is silent
        self.of(self._owners.culprit(error) or plugin).count(fault, f"{what}: {told(error)}"[:LONGEST], who)

    def blocked(self, plugin: str, seconds: float) -> None:
        """Count that *plugin* kept everybody waiting."""
        self.of(plugin).count(Fault.BLOCKED, f"it kept the event loop from turning for {seconds:g} s")

    def late(self, plugin: str, error: BaseException, *, what: str, who: str = "") -> None:
        """Count that *plugin* ran out of time, or the one for which it was waiting when *error* ended it."""
        if self._owners.waits_for_a_server(error):
            return
        culprit = self._owners.culprit(error) or plugin
        self._log.warning("out of time", action="timeout", plugin=culprit, what=what)
        self.of(culprit).count(Fault.TIMEOUT, f"{what}: out of time", who)


class _NeverShut(Breaker):
    """The kernel's: without it nothing would be served."""

    __slots__ = ()

    def count(self, fault: Fault, what: str, who: str = "") -> None:
        self.counts[fault] += 1
