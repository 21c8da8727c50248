"""What an administrator may set about events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class EventSettings:
    """The section `[events]` of the configuration; times are in seconds unless named otherwise."""

    poll: float = 1.0  #: how often to look for what other processes wrote, where there can be several
    poll_alone: float = 3.0  #: the same on SQLite, where the command line is the only other process
    look: float = 5.0  #: how often to read the logs of the sources whatever the transport brought
    handler_timeout: float = 30.0  #: how long one handler may take over one event
    handlers_at_once: int = 2  #: for each plugin and process; each holds one of the plugin's few connections
    attempts: int = 8  #: after so many failures an event is dead
    first_delay: float = 1.0  #: before the second attempt; each further delay is 2.6 times as long
    longest_delay: float = 300.0
    drain: float = 10.0  #: how long running handlers may take to end when the process stops
    retention_days: int = 30  #: how long published events can be replayed
    sweep: float = 3600.0  #: how often to delete what is older

    @property
    def outbox_retention(self) -> timedelta:
        return timedelta(days=self.retention_days)

    @property
    def inbox_retention(self) -> timedelta:
        """How long handled rows stay: longer than the events they de-duplicate can come again."""
        return timedelta(days=self.retention_days + 7)
