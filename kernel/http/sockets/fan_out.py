"""One frame for many: what is sent to a group within a turn of the loop costs each member one write.

Large groups are written to over several turns: what clients send meanwhile is heard meanwhile, and no room waits for
another one's thousands. What comes in the meantime goes out together, so the more there is the fewer are the writes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

AT_ONCE: Final = 200  # writes in one turn of the loop: about a millisecond


class Receiver(Protocol):
    """What takes frames, such as a `Connection`."""

    def send_frames(self, frames: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class _Round:
    """The same for everybody who was there."""

    receivers: tuple[Receiver, ...]
    frames: list[bytes]


class FanOut:
    """Sends to one group, in the order in which it is asked to. Who has left has to ignore what still comes."""

    __slots__ = ("_place", "_rounds", "_whole")

    def __init__(self) -> None:
        self._rounds: deque[_Round] = deque()
        self._place = 0  # of the next receiver of the first round
        self._whole = b""  # what they are sent

    def send(self, receivers: tuple[Receiver, ...], frames: bytes) -> None:
        """Send *frames*, made by `kernel.frame`, to *receivers* soon; never waits.

        What goes to the same object next to each other goes out as one write: keep it while nobody comes or goes.
        """
        rounds = self._rounds
        if not rounds:
            asyncio.get_running_loop().call_soon(self._turn)
        elif rounds[-1].receivers is receivers and (len(rounds) > 1 or not self._place):
            return rounds[-1].frames.append(frames)
        return rounds.append(_Round(receivers, [frames]))

    def _turn(self) -> None:
        left = AT_ONCE
        while left > 0 and self._rounds:
            left -= self._go_on(self._rounds[0], left)
        if self._rounds:
            asyncio.get_running_loop().call_soon(self._turn)

    def _go_on(self, one: _Round, most: int) -> int:
        """Write to the next *most* receivers; return how many there were, and one at least."""
        start = self._place
        whole = self._whole = self._whole if start else b"".join(one.frames)
        self._place = end = start + most  # said before anybody is cut off, and others are told of it
        for receiver in islice(one.receivers, start, end):
            receiver.send_frames(whole)
        if end >= len(one.receivers):
            self._rounds.popleft()
            self._place, self._whole = 0, b""
        return max(min(end, len(one.receivers)) - start, 1)
