"""Somebody in a room without a socket: what the hub sends is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from kernel.contracts.chat import Position
from plugins.chat.frames import Recovered, raw
from plugins.chat.hub import Hub
from plugins.chat.joining import Joining
from tests.plugins.chat.classroom import Classroom


class Listener:
    """Fulfils `Member`."""

    def __init__(self, *, user_id: UUID | None = None, staff: bool = False) -> None:
        self.user_id = user_id or uuid4()
        self.staff = staff
        self.heard: list[Any] = []
        self.reconsidered = 0
        self.checked_at = datetime(2000, 1, 1, tzinfo=UTC)

    def send_frames(self, frames: bytes) -> None:
        self.heard += [json.loads(line) for line in frames.splitlines()]

    def reconsider(self) -> None:
        self.reconsidered += 1

    def entries(self, found: Recovered) -> list[Any]:
        """Return what led up to the moment of joining."""
        return [json.loads(bytes(one)) for one in raw(found.entries, self.user_id, staff=self.staff)]

    def offsets(self) -> list[int]:
        return [message["offset"] for message in self.heard if "offset" in message]

    async def until(self, offset: int) -> None:
        """Return when the entry at *offset* was heard."""
        await eventually(lambda: offset in self.offsets())


async def eventually(condition: Callable[[], bool], seconds: int = 20) -> None:
    """Return when *condition* holds; fail after so many seconds."""
    for _ in range(seconds * 100):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"it did not come to that within {seconds} s")


async def join(room: Classroom, listener: Listener, known: tuple[UUID, int] | None = None) -> Recovered:
    """Put *listener* into the room by the process of *room*."""
    context = room.deployment.platform.context("chat")
    context.own(Hub).frame = lambda body: body + b"\n"
    position = None if known is None else Position(epoch=known[0], offset=known[1])
    return await context.own(Joining).join(UUID(room.room), position, listener)


def hub(room: Classroom) -> Hub:
    """Return the hub of the process of *room*."""
    return room.deployment.platform.context("chat").own(Hub)
