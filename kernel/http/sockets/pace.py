"""The pace of a connection: a token bucket. It holds a burst, and is filled as fast as the rate says."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

from limits import parse

BURST_SECONDS: Final = 5  # of the rate that may come at once, where a socket does not say


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How many frames a client may send.

    A connection notes only when it will be even with the rate; how far that lies ahead says how empty its bucket is.
    """

    frames: int  #: in the long run, in so many
    seconds: int
    burst: int  #: that may come at once, after silence
    interval: float  #: seconds that one frame takes
    allowance: float  #: seconds that a client may be ahead

    def __str__(self) -> str:
        return f"{self.burst} frames at once, and {self.frames} in {self.seconds} s"


def pace(rate: str, burst: int | None) -> Pace:
    """Return the pace of *rate*, in the notation of the `limits` package, with so many frames at once.

    Raises:
        ValueError: *rate* is none, or *burst* is less than one frame.
    """
    item = parse(rate)
    seconds = item.get_expiry()
    frames = max(item.amount, ceil(item.amount * BURST_SECONDS / seconds)) if burst is None else burst
    if frames < 1:
        raise ValueError(f"a socket takes {rate} and a burst of {frames}; let it be 1 or more")
    interval = seconds / item.amount
    # Half a frame more, since sums of intervals are not exact.
    return Pace(
        frames=item.amount, seconds=seconds, burst=frames, interval=interval, allowance=(frames + 0.5) * interval
    )
