"""One frame for many: what is sent to a group within a turn of the loop costs each member one write.

A large group is written to over several turns, round and round like a paternoster. What clients send meanwhile is heard
meanwhile; it gets on where the writing is just now, and whoever comes next gets it together with what is still on its
way to them. So the more is said the fewer are the writes, and no room waits for another one's thousands.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

AT_ONCE: Final = 32  # writes in one turn of the loop: some tenths of a millisecond


class Receiver(Protocol):
    """What takes frames, such as a `Connection`."""

    def send_frames(self, frames: bytes) -> None: ...


class FanOut:
    """Sends to one group, in the order in which it is asked to. Who has left has to ignore what still comes."""

    __slots__ = ("_rounds",)

    def __init__(self) -> None:
        self._rounds: deque[_Round] = deque()

    def send(self, receivers: tuple[Receiver, ...], frames: bytes) -> None:
        """Send *frames*, made by `kernel.frame`, to *receivers* soon; never waits.

        What goes to the same object goes out together: keep it while nobody comes or goes.
        """
        if not receivers:
            return
        if not self._rounds:
            asyncio.get_running_loop().call_soon(self._turn)
        if not self._rounds or self._rounds[-1].receivers is not receivers:
            self._rounds.append(_Round(receivers))
        self._rounds[-1].add(frames)

    def _turn(self) -> None:
        left = AT_ONCE
        try:
            while left and self._rounds:
                if self._rounds[0].is_over:
                    self._rounds.popleft()
                else:
                    left -= self._rounds[0].go_on(left)
        finally:  # whoever raises is not to stop the others' for ever
            if self._rounds:
                asyncio.get_running_loop().call_soon(self._turn)


class _Load:
    """Frames on their way, and how many have yet to get them."""

    __slots__ = ("frames", "left")

    def __init__(self, frames: bytes, left: int) -> None:
        self.frames = frames
        self.left = left


class _Round:
    """What the same receivers get. Each load goes once around, from where it got on."""

    __slots__ = ("_loads", "_place", "receivers")

    def __init__(self, receivers: tuple[Receiver, ...]) -> None:
        self.receivers = receivers
        self._loads: deque[_Load] = deque()  # the older the fewer are left
        self._place = 0  # of whoever is next

    @property
    def is_over(self) -> bool:
        """Whether everybody has everything."""
        return not self._loads

    def add(self, frames: bytes) -> None:
        """Begin with *frames* at whoever is next."""
        self._loads.append(_Load(frames, len(self.receivers)))

    def go_on(self, most: int) -> int:
        """Write what is on its way to the next receivers, at most so many; return how many they were."""
        start = self._place
        number = min(most, self._loads[0].left, len(self.receivers) - start)
        self._place = (start + number) % len(self.receivers)
        whole = b"".join([load.frames for load in self._loads])
        for load in self._loads:  # before: somebody who is cut off may have others told, which gets on after these
            load.left -= number
        while self._loads and not self._loads[0].left:
            self._loads.popleft()
        for receiver in self.receivers[start : start + number]:
            receiver.send_frames(whole)
        return number
