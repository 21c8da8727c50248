"""What an administrator may set for the search."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kernel import Rate, Settings


class SearchSettings(Settings, frozen=True):
    """Settings under `[plugins.search]`."""

    #: for each client address, suggestions counted by themselves
    searches: Rate = Rate("600/minute")
    #: seconds between two looks for what changed and was not indexed yet
    index_every: Annotated[float, msgspec.Meta(ge=0.1, le=600)] = 10.0
    #: seconds that a source may take to tell its documents; later they are asked for again
    source_timeout: Annotated[float, msgspec.Meta(gt=0, le=600)] = 30.0
