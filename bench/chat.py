"""Compare a room's fan-out with Socket.IO behind its Redis adapter: `python -m bench.chat`.

Each server alone on core 0; the driver, PostgreSQL and Redis share core 1. The driver never sleeps, but lets the two go
first: real clients take no time from the databases of a server. Rounds go over all stacks in turn; a ratio compares
two runs within one round, and the median over the rounds counts. Lyceum's rooms have history, offsets, limits and
bounded queues, and what it delivers is stored in PostgreSQL before. `floors/chat.py` has none of it: it shows what can
be reached at most on this machine, where one write to a socket may cost more than all that a server does beside.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import click
import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from bench.chat_data import PORT, SeededChat, seed_chat
from bench.load import DRIVER_CORE, DRIVERS, require_free, serving, wait_until_answering
from bench.servers import bench_postgres
from kernel.testing.servers import valkey

HERE: Final = Path(__file__).parent
MEMBERS: Final = 1_000
MOST_HELD: Final = 10_000  # connections
ROOMS: Final = 100
PADDING: Final = "50"  # bytes, which make messages of about 180
PEER_PORT: Final = 8309
FLOOR_PORT: Final = 8310
SETTLING: Final = 5  # seconds for which idle connections stay

Name = Literal["lyceum", "floor", "sio"]


class Run(msgspec.Struct, frozen=True):
    """What the driver says of one run."""

    rate: float  #: deliveries a second
    p50: float  #: ms from sending to each receiver
    p99: float
    sent: int


@dataclass(frozen=True)
class Case:
    """What is sent (*mode* and *argument* of `wsload.c`), and which *figure* has to be *goal* times the peer's."""

    name: str
    rooms: int
    mode: str
    argument: str
    figure: Literal["rate", "p99"]
    goal: float

    def ratio(self, ours: Sequence[Run], theirs: Sequence[Run]) -> float:
        """Return the median over the rounds."""
        pairs = zip(ours, theirs, strict=True)
        ratios: list[float] = [getattr(one, self.figure) / getattr(other, self.figure) for one, other in pairs]
        return statistics.median(ratios)

    def met(self, ratio: float) -> bool:
        return ratio <= self.goal if self.figure == "p99" else ratio >= self.goal


CASES: Final = (
    Case("one at a time", 1, "win", "1", "rate", 4),
    Case("eight under way", 1, "win", "8", "rate", 10),
    Case("100 rooms of 10", ROOMS, "win", "100", "rate", 5),
    Case("20,000 deliveries/s", 1, "rate", "20", "p99", 1),
)
MEMORY_GOAL: Final = 0.25  # of Socket.IO's, for each idle connection


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One server; the driver speaks Socket.IO with `sio`, and Lyceum's protocol with the others."""

    name: Name
    command: Sequence[str]
    environ: dict[str, str]
    port: int


class Driver:
    """Runs `wsload`."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._binary = folder / "wsload"
        self._environ = {**os.environ, **environ}
        subprocess.run(["gcc", "-O2", "-o", str(self._binary), str(DRIVERS / "wsload.c")], check=True)

    def measure(self, stack: Stack, case: Case, seconds: int, *, members: int = MEMBERS, padding: str = PADDING) -> Run:
        arguments = self._command(stack, members, case.rooms, case.mode, case.argument, seconds, padding)
        done = subprocess.run(arguments, env=self._environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise click.ClickException(f"{stack.name}, {case.name}: {done.stderr}")
        return msgspec.json.decode(done.stdout, type=Run)

    @contextlib.contextmanager
    def idling(self, stack: Stack, connections: int) -> Iterator[None]:
        """Hold so many connections, each in a room, until the block ends."""
        command = self._command(stack, connections, ROOMS, "idle", "0", 3600)
        driver = subprocess.Popen(command, env=self._environ, stdout=subprocess.PIPE, text=True)
        try:
            if driver.stdout is None or driver.stdout.readline() != "ready\n":
                raise click.ClickException(f"{stack.name} does not hold {connections} connections")
            yield
        finally:
            driver.kill()
            driver.wait()

    def _command(
        self, stack: Stack, members: int, rooms: int, mode: str, argument: str, seconds: int, padding: str = PADDING
    ) -> list[str]:
        pinned = [
            "nice",
            "-n",
            "10",
            "taskset",
            "-c",
            DRIVER_CORE,
            str(self._binary),
            str(stack.port),
            str(members),
            "sio" if stack.name == "sio" else "lyceum",
        ]
        return [*pinned, str(rooms), mode, argument, str(seconds), padding]


@contextlib.contextmanager
def running(stack: Stack, folder: Path) -> Iterator[psutil.Process]:
    """Run one server until the block ends."""
    log = folder / f"{stack.name}.log"
    require_free(stack.port)
    with serving(stack.command, stack.environ, log) as process:
        try:
            wait_until_answering(f"http://127.0.0.1:{stack.port}/")
        except OSError as error:
            error.add_note(log.read_text()[-2000:])
            raise
        yield process


def kib_for_each(stack: Stack, driver: Driver, folder: Path, connections: int) -> float:
    """Return the memory that a fresh server takes for each of so many idle connections."""
    with running(stack, folder) as process:
        asyncio.run(asyncio.sleep(SETTLING))
        before = process.memory_info().rss
        with driver.idling(stack, connections):
            asyncio.run(asyncio.sleep(SETTLING))
            return float(process.memory_info().rss - before) / connections / 1024


def every_stack(config: Path, redis: str) -> tuple[Stack, Stack, Stack]:
    """Return Lyceum, the floor, and the peer."""
    lyceum = [str(Path(sys.executable).with_name("lyceum")), "--config", str(config), "serve"]
    by_hand = [sys.executable, str(HERE / "floors/chat.py")]
    peer = ["node", str(HERE / "peers/node/chat.mjs")]
    environ = {"BENCH_REDIS": redis.removeprefix("unix://"), "NODE_ENV": "production"}
    return (
        Stack(name="lyceum", command=lyceum, environ={}, port=PORT),
        Stack(name="floor", command=by_hand, environ={**environ, "PORT": str(FLOOR_PORT)}, port=FLOOR_PORT),
        Stack(name="sio", command=peer, environ={**environ, "PORT": str(PEER_PORT)}, port=PEER_PORT),
    )


Runs = dict[tuple[str, str], list[Run]]


def compare(
    stacks: Sequence[Stack], driver: Driver, seeded: SeededChat, rounds: int, seconds: int, folder: Path
) -> Runs:
    """Return the runs of every case, by its name and the stack's."""
    found: Runs = {}
    with contextlib.ExitStack() as servers:
        for stack in stacks:
            servers.enter_context(running(stack, folder))
        for turn in range(rounds):
            asyncio.run(seeded.sign_in())
            for case in CASES:
                for stack in stacks[:: 1 if turn % 2 else -1]:
                    found.setdefault((case.name, stack.name), []).append(driver.measure(stack, case, seconds))
    return found


def show(runs: Runs, memory: dict[str, float], console: Console) -> bool:
    """Print what was measured; return whether every goal is met."""
    columns = ("deliveries/s", "p99 ms", "Socket.IO", "p99 ms", "floor", "p99 ms", "ratio", "floor's", "goal", "met")
    figures = Table("case", *columns)
    all_met = True
    for case in CASES:
        ours, theirs, floors = (runs[case.name, name] for name in ("lyceum", "sio", "floor"))
        ratio, reachable = case.ratio(ours, theirs), case.ratio(floors, theirs)
        all_met &= case.met(ratio)
        cells = [
            f"{statistics.median(getattr(run, name) for run in side):,.1f}"
            for side in (ours, theirs, floors)
            for name in ("rate", "p99")
        ]
        sign = "≤" if case.figure == "p99" else "≥"
        met = "yes" if case.met(ratio) else "NO"
        figures.add_row(case.name, *cells, f"{ratio:.2f}", f"{reachable:.2f}", f"{sign} {case.goal:g}", met)
    console.print(figures)
    share = memory["lyceum"] / memory["sio"]
    each = ", ".join(f"{name} {kib:.1f} KiB" for name, kib in memory.items())
    console.print(f"an idle connection: {each}; ratio {share:.2f} (goal ≤ {MEMORY_GOAL})")
    return all_met and share <= MEMORY_GOAL


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Rounds over all stacks.")
@click.option("--seconds", default=3, show_default=True, help="Length of one measurement.")
def main(rounds: int, seconds: int) -> None:
    """Measure all and print the ratios."""
    os.sched_setaffinity(0, {int(DRIVER_CORE)})  # PostgreSQL and Redis, started below, inherit it
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="bench-") as name, bench_postgres() as server, valkey() as redis:
        folder = Path(name)
        seeding = seed_chat(server.url("lyceum"), f"{redis}?db=1", folder, members=MOST_HELD, rooms=ROOMS)
        seeded = asyncio.run(seeding)
        asyncio.run(seeded.sign_in())
        (lyceum, floor, peer), driver = every_stack(seeded.config, redis), Driver(folder, seeded.environ)
        console = Console(width=130)
        memory: dict[str, float] = {
            stack.name: kib_for_each(stack, driver, folder, MOST_HELD // 2) for stack in (lyceum, peer)
        }
        with running(lyceum, folder), driver.idling(lyceum, MOST_HELD):
            console.print(f"one process holds {MOST_HELD:,} connections")
        met = show(compare((lyceum, floor, peer), driver, seeded, rounds, seconds, folder), memory, console)
    if not met:
        sys.exit(1)


if __name__ == "__main__":
    main()
