"""What an administrator may set of exports and erasures."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kernel import Rate, Settings


class PrivacySettings(Settings, frozen=True):
    """`[plugins.privacy]`."""

    exports: Rate = "3/day"  #: how often a person may ask for a copy of what is kept of them
    archive_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 7  #: how long the copy can be fetched
    #: how long an erasure remembers the address, sealed, for plugins that are off; they are asked by number after that
    address_days: Annotated[int, msgspec.Meta(ge=0, le=3650)] = 30
