"""What an administrator may set about events."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from kernel.settings import Settings

Seconds = Annotated[float, msgspec.Meta(ge=0.01, le=86_400)]


class EventSettings(Settings, frozen=True):
    """The section `[events]` of the configuration; times are in seconds unless named otherwise."""

    poll: Seconds = 1.0  #: how often to look for what other processes wrote, where there can be several
    poll_alone: Seconds = 3.0  #: the same on SQLite, where the command line is the only other process
    look: Seconds = 5.0  #: how often to read the logs of the sources whatever the transport brought
    handler_timeout: Seconds = 30.0  #: how long one handler may take over one event
    handlers_at_once: Annotated[int, msgspec.Meta(ge=1, le=100)] = (
        2  #: for each plugin and process; each holds one of the plugin's few connections
    )
    attempts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 8  #: after so many failures an event is dead
    first_delay: Seconds = 1.0  #: before the second attempt; each further delay is 2.6 times as long
    longest_delay: Seconds = 300.0
    drain: Annotated[float, msgspec.Meta(ge=0, le=600)] = (
        10.0  #: how long running handlers may take to end when the process stops
    )
    retention_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 30  #: how long published events can be replayed
    sweep: Seconds = 3600.0  #: how often to delete what is older

    @property
    def outbox_retention(self) -> timedelta:
        return timedelta(days=self.retention_days)

    @property
    def inbox_retention(self) -> timedelta:
        """How long handled rows stay: longer than the events they de-duplicate can come again."""
        return timedelta(days=self.retention_days + 7)
