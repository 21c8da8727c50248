"""A client that takes messages and no frames: what the rooms send is taken out of its frames again."""

from __future__ import annotations

from kernel import Principal, payloads
from kernel.contracts.chat import Line


class Unframed:
    """Is to a conversation what a `Connection` is."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.send = line.send

    @property
    def principal(self) -> Principal | None:
        return self._line.principal

    def send_frames(self, frames: bytes) -> None:
        """Send what is in *frames*."""
        for message in payloads(frames):
            self.send(message)
