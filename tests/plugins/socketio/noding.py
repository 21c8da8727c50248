"""The client of Socket.IO from its makers, in a Node process of its own, told what to do and asked what happened."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

NODE: Final = Path(__file__).with_name("node")
PATIENCE: Final = 20.0  # seconds


def install(folder: Path) -> Path:
    """Install the client into *folder*, which the machine needs Node for; skip where it is missing."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}; apt-get install nodejs npm")
    for file in ("package.json", "package-lock.json", "client.mjs"):
        shutil.copy(NODE / file, folder)
    return folder


async def prepare(folder: Path) -> None:
    """Have npm bring what `package-lock.json` names."""
    npm = await asyncio.create_subprocess_exec(
        "npm",
        "ci",
        "--no-audit",
        "--no-fund",
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await npm.communicate()
    assert npm.returncode == 0, said.decode()


class NodeClient:
    """One Node process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._number = 0
        self.told: list[dict[str, Any]] = []  #: everything that has happened, in its order
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    def do(self, action: str, **members: Any) -> None:
        """Have it do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": action, **members}).encode() + b"\n")

    async def ask(self, event: str, **body: Any) -> Any:
        """Emit *event*; return what is acknowledged."""
        self._number += 1
        number = self._number
        self.do("emit", number=number, event=event, body=body)
        return (await self.until(lambda one: one["kind"] == "ack" and one["number"] == number))["answer"]

    async def join(self, room: str, **known: Any) -> Any:
        """Come into *room*; return the acknowledgement."""
        joined = await self.ask("join", room=room, **known)
        assert joined["type"] == "joined", joined
        return joined

    async def until(self, fits: Any, *, after: int = 0) -> dict[str, Any]:
        """Return the first thing that *fits*, of those *after* so many, once it has happened."""
        async with asyncio.timeout(PATIENCE), self._news:
            while True:
                for one in self.told[after:]:
                    if fits(one):
                        return one
                await self._news.wait()

    async def happens(self, kind: str, *, after: int = 0) -> dict[str, Any]:
        """Return the first thing of this *kind*."""
        return await self.until(lambda one: one["kind"] == kind, after=after)

    async def hears(self, offset: int) -> dict[str, Any]:
        """Return the entry at *offset*, once it has come as an event."""
        told = await self.until(lambda one: one["kind"] == "event" and one["body"].get("offset") == offset)
        body: dict[str, Any] = told["body"]
        return body

    def entries(self) -> list[tuple[str, int]]:
        """Return name and offset of all entries that came as events."""
        events = [one for one in self.told if one["kind"] == "event"]
        return [(one["event"], one["body"]["offset"]) for one in events if "offset" in one["body"]]

    async def end(self) -> None:
        """End the process."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            async with self._news:
                self.told.append(json.loads(line))
                self._news.notify_all()


@asynccontextmanager
async def node(folder: Path, url: str, program: str = "client.mjs", **options: Any) -> AsyncIterator[NodeClient]:
    """Run *program* with the client that connects to *url* with *options*."""
    argument = json.dumps({"url": url, "options": options})
    process = await asyncio.create_subprocess_exec(
        "node",
        program,
        argument,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    client = NodeClient(process)
    try:
        yield client
    finally:
        await client.end()
