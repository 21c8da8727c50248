"""Moments that people give: with a time zone, and such as every database can hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(3000, 1, 1, tzinfo=UTC)

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


def require_usable(name: str, moment: datetime | None) -> None:
    """Refuse what no calendar needs.

    Raises:
        ValueError: it names the field.
    """
    if moment is not None and not _EARLIEST <= moment < _LATEST:
        raise ValueError(f"{name} must lie between the years 2000 and 3000")
