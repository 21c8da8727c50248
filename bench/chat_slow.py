"""A client that never reads, in a room of a hundred who do: `python -m bench.chat_slow`.

A hundred messages of 3.5 KB are said each second, once with the slow client in the room and once without, each time by
a server that was just started, in a room that is new. Once its queue is full it has to be parted from, with a code of
its own; the others' latency must not tell whether it was there; and it must cost no more memory than its queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table

from bench.chat import Case, Driver, Run, Stack, every_stack, running
from bench.chat_data import PORT, SeededChat, seed_chat
from bench.load import DRIVER_CORE
from bench.servers import bench_postgres
from kernel import CloseCode
from kernel.testing.servers import valkey

MEMBERS: Final = 100
CASE: Final = Case("a hundred messages a second", 1, "rate", "100", "p99", 2)  # times that without the slow client
PADDING: Final = "3500"  # bytes
MEMORY_GOAL: Final = 3.0  # MiB more than without it: its queue of one, and what the allocator makes of it
OPERATORS: Final = '\n[operations]\nallowed = ["127.0.0.0/8"]\n'
CUT_OFF: Final = re.compile(rf'^lyceum_sockets_closed_total{{code="{int(CloseCode.SLOW)}".*}} (\S+)$', re.MULTILINE)
PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Seen:
    """What one run showed."""

    run: Run
    peak: float  #: MiB that the server took at most
    cut_off: int  #: clients, for not reading


def measured(stack: Stack, driver: Driver, seeded: SeededChat, folder: Path, seconds: int, *, slow: bool) -> Seen:
    """Measure once, in the first of the rooms, which is used up by it."""
    room, *others = seeded.rooms.read_text().splitlines()
    with running(stack, folder) as process, contextlib.ExitStack() as there:
        if slow:
            there.enter_context(slow_client(seeded.tokens.read_text().splitlines()[MEMBERS], room))
        run = driver.measure(stack, CASE, seconds, members=MEMBERS, padding=PADDING)
        status = Path(f"/proc/{process.pid}/status").read_text()
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics") as answer:
            metrics = answer.read().decode()
    seeded.rooms.write_text("\n".join(others))
    return Seen(
        run, float(PEAK.findall(status)[0]) / 1024, sum(int(float(count)) for count in CUT_OFF.findall(metrics))
    )


@contextlib.contextmanager
def slow_client(token: str, room: str) -> Iterator[None]:
    """Let somebody be in the room who reads nothing after the handshake."""
    head = ["GET /api/v1/chat/socket HTTP/1.1", f"Host: 127.0.0.1:{PORT}", "Upgrade: websocket", "Connection: Upgrade"]
    key = ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"Authorization: Bearer {token}"]
    join = msgspec.json.encode({"type": "join", "id": 1, "room": room})
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", PORT))
        client.sendall("\r\n".join([*head, *key, "", ""]).encode())
        if b" 101 " not in (answer := client.recv(1024)):
            raise click.ClickException(answer.decode())
        client.sendall(bytes((0x81, 0x80 | len(join), 0, 0, 0, 0)) + join)  # masked with zeros
        yield


def show(alone: Sequence[Seen], beside: Sequence[Seen], console: Console) -> bool:
    """Print what was measured; return whether every goal is met."""
    table = Table("figure", "without", "with a slow client", "goal", title="A client that never reads")
    ratio = statistics.median(two.run.p99 / one.run.p99 for one, two in zip(alone, beside, strict=True))
    more = statistics.median(two.peak - one.peak for one, two in zip(alone, beside, strict=True))
    figures = (
        ("deliveries/s to the others", [[seen.run.rate for seen in side] for side in (alone, beside)], ",.0f"),
        ("p99 ms of the others", [[seen.run.p99 for seen in side] for side in (alone, beside)], ".2f"),
        ("memory at most, MiB", [[seen.peak for seen in side] for side in (alone, beside)], ".1f"),
    )
    for name, sides, form in figures:
        table.add_row(name, *(format(statistics.median(side), form) for side in sides), "")
    table.add_row("p99, times that without", "", f"{ratio:.2f}", f"< {CASE.goal:g}")
    table.add_row("memory more, MiB", "", f"{more:.1f}", f"≤ {MEMORY_GOAL:g}")
    cut = [seen.cut_off for seen in beside]
    table.add_row(f"closed with {int(CloseCode.SLOW)}, in each round", "", ", ".join(map(str, cut)), "1")
    console.print(table)
    return ratio < CASE.goal and more <= MEMORY_GOAL and set(cut) == {1} and not any(seen.cut_off for seen in alone)


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Rounds with and without the slow client.")
@click.option("--seconds", default=20, show_default=True, help="Length of one measurement.")
def main(rounds: int, seconds: int) -> None:
    """Measure with and without the slow client; exit with 1 where it is anybody's trouble but its own."""
    os.sched_setaffinity(0, {int(DRIVER_CORE)})  # PostgreSQL and Redis, started below, inherit it
    with tempfile.TemporaryDirectory(prefix="bench-") as name, bench_postgres() as server, valkey() as redis:
        folder = Path(name)
        seeding = seed_chat(server.url("lyceum"), f"{redis}?db=1", folder, members=MEMBERS + 1, rooms=2 * rounds)
        seeded = asyncio.run(seeding)
        seeded.config.write_text(seeded.config.read_text() + OPERATORS)
        lyceum, driver = every_stack(seeded.config, redis)[0], Driver(folder, seeded.environ)
        found: dict[bool, list[Seen]] = {False: [], True: []}
        for turn in range(rounds):
            asyncio.run(seeded.sign_in())
            for slow in (False, True) if turn % 2 else (True, False):
                found[slow].append(measured(lyceum, driver, seeded, folder, seconds, slow=slow))
    if not show(found[False], found[True], Console(width=120)):
        sys.exit(1)


if __name__ == "__main__":
    main()
