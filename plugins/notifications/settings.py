"""What an administrator may set for notifications."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kernel import Settings


class NotificationsSettings(Settings, frozen=True):
    """Settings under `[plugins.notifications]`."""

    #: hours after which something that happened is no news any more, as when the plugin was off for long
    stale_hours: Annotated[int, msgspec.Meta(ge=1, le=24 * 90)] = 48
    #: seconds between two looks for what waits to be told
    look_every: Annotated[float, msgspec.Meta(ge=0.1, le=600)] = 10.0
    #: mails to one person in a day; what is more stays in the tray
    mails_per_day: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 30
