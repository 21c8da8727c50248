"""What an administrator may set of the profiles."""

from __future__ import annotations

from kernel import Settings
from kernel.contracts.users_http import TimeZone, is_time_zone


class UsersSettings(Settings, frozen=True):
    """`[plugins.users]`."""

    time_zone: TimeZone = "UTC"  #: of people who have chosen none

    def __post_init__(self) -> None:
        if not is_time_zone(self.time_zone):
            raise ValueError(f"'time_zone' is {self.time_zone!r}; use an IANA name such as 'Europe/Berlin'")
