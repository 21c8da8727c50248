"""What an administrator may set for chat."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kernel import Rate, Settings


class ChatSettings(Settings, frozen=True):
    """Settings under `[plugins.chat]`."""

    messages_per_person: Rate = "20/10 second"  #: that one person may send to one room, through one process
    messages_per_room: Rate = "200/second"  #: that all may send to one room, through one process
    edit_minutes: Annotated[int, msgspec.Meta(ge=0, le=10080)] = 15  #: to edit one's own message; 0 for never
    filter_timeout: Annotated[float, msgspec.Meta(gt=0, le=10)] = 1.0  #: that each filter has; later holds the message
    check_every: Annotated[float, msgspec.Meta(ge=0.1, le=30)] = 10.0  #: seconds between two looks for lost entries
    recovery_limit: Annotated[int, msgspec.Meta(ge=10, le=1000)] = 300  #: entries that a client can be given on return
    hot_history: Annotated[int, msgspec.Meta(ge=50, le=1000)] = 300  #: entries of each room kept in memory or in Redis
    rooms_per_connection: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 128  #: that one connection may join
    keep_days: Annotated[int, msgspec.Meta(ge=0, le=36500)] = 0  #: after which what was said goes; 0 for never
    erased_messages: Literal["remove", "keep"] = "remove"  #: what an erasure does to the texts of the person
