"""One frame for many: what is sent to a group within a turn of the loop costs each member one write."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol


class Receiver(Protocol):
    """What takes frames, such as a `Connection`."""

    def send_frames(self, frames: bytes) -> None: ...


class FanOut:
    """Sends to groups, each known by the collection that holds its members."""

    def __init__(self) -> None:
        self._due: dict[int, tuple[Collection[Receiver], list[bytes]]] = {}

    def send(self, members: Collection[Receiver], frames: bytes) -> None:
        """Send *frames*, made by `kernel.frame`, to those who are *members* when this turn of the loop ends."""
        if not self._due:
            asyncio.get_running_loop().call_soon(self._flush)
        self._due.setdefault(id(members), (members, []))[1].append(frames)

    def _flush(self) -> None:
        due, self._due = self._due, {}
        for members, frames in due.values():
            whole = b"".join(frames)
            for member in tuple(members):  # one that is cut off leaves meanwhile
                member.send_frames(whole)
