"""What an administrator may set for notifications."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kernel import Settings

Minutes = Annotated[int, msgspec.Meta(ge=0, lt=24 * 60)]


class NotificationsSettings(Settings, frozen=True):
    """Settings under `[plugins.notifications]`."""

    #: hours after which something that happened is no news any more, as when the plugin was off for long
    stale_hours: Annotated[int, msgspec.Meta(ge=1, le=24 * 90)] = 48
    #: seconds between two looks for what waits to be told
    look_every: Annotated[float, msgspec.Meta(ge=0.1, le=600)] = 10.0
    #: what goes to one person by one channel at once in a day; what is more goes into the digest of the day
    most_per_day: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 30
    #: mails to all people together in a day, digests among them, after which the others wait; 0 for any number
    mails_per_day: Annotated[int, msgspec.Meta(ge=0)] = 0
    #: minutes that what is alike waits for more of it, after the first of it has gone
    fold_minutes: Annotated[int, msgspec.Meta(ge=1, le=24 * 60)] = 15
    #: the hour of digests, for whoever has not chosen, in their time zone
    digest_hour: Annotated[int, msgspec.Meta(ge=0, le=23)] = 8
    #: the day of weekly digests, 0 is Monday
    digest_weekday: Annotated[int, msgspec.Meta(ge=0, le=6)] = 0
    #: quiet hours, in minutes after midnight, for whoever has not chosen; none where both are the same
    quiet_from: Minutes = 0
    quiet_until: Minutes = 0
    #: days after which what people were told is removed
    keep_days: Annotated[int, msgspec.Meta(ge=30, le=3650)] = 400
