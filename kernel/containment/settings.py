"""What an administrator may set about plugins that fail while the deployment serves."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kernel.settings import Settings

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class ContainmentSettings(Settings, frozen=True):
    """`[containment]`: when a plugin that fails is closed for a while; counted in each process for itself."""

    faults: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 20  #: within `window`, that put a plugin in quarantine
    window: Seconds = 60.0  #: also how long a plugin is on probation after a quarantine
    quarantine: Seconds = 30.0  #: the first one; each that follows on a probation is twice as long
    longest_quarantine: Seconds = 900.0
    #: a longer turn of the event loop is reported with its stack; 0 does not look
    blocked_after: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.25

    def __post_init__(self) -> None:
        if self.longest_quarantine < self.quarantine:
            raise ValueError("longest_quarantine must not be shorter than quarantine")
