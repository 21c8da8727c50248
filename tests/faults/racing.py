"""R(n): requests on warmed connections, all of each sent but its last byte; then the last bytes all at once."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

ROUNDS: Final = 20  # of each race
_PAUSE: Final = 0.02  # seconds, in which the servers read what was sent before the last byte
_PATIENCE: Final = 30.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One request to be raced."""

    path: str
    body: object
    token: str | None = None
    key: str | None = None  #: the idempotency key, a new one for None
    method: str = "POST"

    def raw(self) -> bytes:
        """Return it as it goes over the wire."""
        body = json.dumps(self.body).encode()
        head = [
            f"{self.method} {self.path} HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"Idempotency-Key: {self.key or uuid4()}",
            *([f"Authorization: Bearer {self.token}"] if self.token else []),
        ]
        return "\r\n".join([*head, "", ""]).encode() + body


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]  #: by their names in lower case
    body: Any

    @property
    def problem(self) -> str:
        """Return the last word of the problem's type."""
        return str(self.body["type"]).rpartition("/")[2]


@dataclass(frozen=True)
class Line:
    """One open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, raw: bytes) -> Answer:
        """Send *raw* at once and return the answer."""
        self.writer.write(raw)
        return await self.answer()

    async def answer(self) -> Answer:
        """Return the next answer."""
        async with asyncio.timeout(_PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            raw = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(first.split()[1]), headers, json.loads(raw) if raw else None)


class Crowd:
    """Warmed connections to one server or to several in turn."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines

    async def race(self, wishes: Sequence[Wish]) -> list[Answer]:
        """Let all *wishes* arrive at the same moment; return their answers in order."""
        chosen = list(zip(self._lines, (wish.raw() for wish in wishes), strict=False))
        assert len(chosen) == len(wishes), "the crowd is too small"
        for line, raw in chosen:
            line.writer.write(raw[:-1])
        await asyncio.sleep(_PAUSE)
        for line, raw in chosen:
            line.writer.write(raw[-1:])
        return await asyncio.gather(*(line.answer() for line, _ in chosen))


@asynccontextmanager
async def crowd(ports: Sequence[int], size: int) -> AsyncIterator[Crowd]:
    """Open so many connections to *ports* in turn, each of which has been answered once."""
    turns = itertools.islice(itertools.cycle(ports), size)
    lines = [Line(*await asyncio.open_connection("127.0.0.1", port)) for port in turns]
    try:
        await asyncio.gather(*(line.ask(b"GET /-/live HTTP/1.1\r\nHost: localhost\r\n\r\n") for line in lines))
        yield Crowd(lines)
    finally:
        for line in lines:
            line.writer.close()
