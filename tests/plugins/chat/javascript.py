"""Clients in JavaScript, run by the Node that playwright brings along."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

import playwright
import pytest

PROGRAM: Final = Path(__file__).parent / "following.mjs"


class Follower:
    """One client that follows a room."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.shown: list[Any] = []

    def say(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n".encode())

    @property
    def offsets(self) -> list[int]:
        """Those of the entries that it shows."""
        return [one["offset"] for one in self.shown if "offset" in one]

    def of(self, kind: str) -> list[Any]:
        """Return what it shows of one kind."""
        return [one for one in self.shown if one["type"] == kind]

    async def follow(self) -> None:
        """Note what it shows, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.shown.append(json.loads(line))


@asynccontextmanager
async def following(
    module: Path, which: Literal["page", "document"], *, url: str, token: str, room: str
) -> AsyncIterator[Follower]:
    """Give a client, whose class `Room` is in *module*."""
    arguments = [node(), str(PROGRAM), module.as_uri(), which, url, token, room]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe)
    follower = Follower(process)
    reading = asyncio.create_task(follower.follow())
    try:
        yield follower
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading


def node() -> str:
    """Return the program that runs JavaScript; where there is none, the test says which package is missing."""
    brought = Path(playwright.__file__).parent / "driver" / "node"
    found = str(brought) if brought.exists() else shutil.which("node")
    if found is None:
        pytest.skip("Node is missing: apt-get install nodejs")
    return found
