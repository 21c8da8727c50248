"""Compare Lyceum with the peers and the floor, side by side in one run: `python -m bench.compare`.

One process on core 0; wrk, PostgreSQL and Redis share core 1. Rounds go over all stacks in turn, back and forth, so
that whatever else the machine does hits all of them alike. A ratio compares two stacks within one round, seconds apart;
reported are the medians over the rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import jwt
import psutil
from rich.console import Console
from rich.table import Table

from bench import lyceum_data, peers_data
from bench.load import DRIVER_CORE, Load, Result, measure, require_free, serving, wait_until_answering
from bench.servers import bench_postgres
from kernel.testing.servers import PostgresServer

HERE: Final = Path(__file__).parent
SECRET: Final = "bench-secret-of-at-least-32-bytes!!"
POOL: Final = "10"
PEERS_PYTHON: Final = str(HERE / ".venv/bin/python")


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One server under test and what wrk sends to it for each job."""

    name: str
    command: Sequence[str]
    environ: dict[str, str]
    port: int
    loads: dict[str, Load]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Goal:
    """*job*: Lyceum's *figure* over *peer*'s must be at least (or, for p99, at most) *ratio*.

    A *peer* may do *its_job* instead of the same.
    """

    job: str
    peer: str
    figure: str
    ratio: float
    its_job: str = ""


GOALS: Final = (
    Goal("get", "express-prisma", "rate", 7),
    Goal("get", "fastapi-orm", "rate", 15),
    Goal("get", "fair-floor", "rate", 0.85),
    Goal("get", "express-prisma", "p99", 0.25),
    Goal("list", "express-prisma", "rate", 8),
    Goal("buy", "express-prisma", "rate", 5),
    Goal("buy", "express-prisma", "p99", 1 / 3),
    Goal("redeem", "lyceum", "rate", 1, its_job="buy"),
)


def peer_loads(folder: Path) -> dict[str, Load]:
    """Write the peers' paths, tokens and bodies; return what wrk sends."""
    gets, pages = folder / "peer-gets", folder / "peer-pages"
    gets.write_text("\n".join(f"/courses/{number}" for number in range(1, peers_data.COURSES + 1)))
    pages.write_text("\n".join(f"/courses?limit=20&offset={20 * page}" for page in range(10)))
    tokens, bodies = folder / "peer-tokens", folder / "peer-bodies"
    buyers = range(1, peers_data.USERS + 1, peers_data.EACH_BUYER)
    tokens.write_text("\n".join(jwt.encode({"sub": str(user)}, SECRET, "HS256") for user in buyers))
    bodies.write_text("\n".join(json.dumps({"courseId": n}) for n in range(1, peers_data.COURSES + 1)))
    buy = {"BENCH_TOKENS": str(tokens), "BENCH_BODIES": str(bodies), "BENCH_PATH": "/enrollments"}
    return {
        "get": Load(script="get.lua", variables={"BENCH_PATHS": str(gets)}),
        "list": Load(script="get.lua", variables={"BENCH_PATHS": str(pages)}),
        "buy": Load(script="buy.lua", variables=buy),
    }


def stacks(server: PostgresServer, folder: Path) -> list[Stack]:
    """Seed both databases and return every stack."""
    dsn = server.url("peers")
    asyncio.run(peers_data.seed_peers(dsn))
    loads = peer_loads(folder)
    reads = {job: loads[job] for job in ("get", "list")}
    environ = {
        "BENCH_DSN": dsn,
        "BENCH_SECRET": SECRET,
        "BENCH_POOL": POOL,
        "NODE_ENV": "production",
    }
    uvicorn = [PEERS_PYTHON, "-m", "uvicorn", "app:app", "--app-dir", str(HERE / "peers/fastapi"), "--port", "8302"]
    quiet = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    seeded = asyncio.run(lyceum_data.seed(server.url("lyceum"), folder, int(POOL)))
    return [
        Stack(
            name="express-prisma",
            command=["node", str(HERE / "peers/node/server.mjs")],
            environ={**environ, "PORT": "8301"},
            port=8301,
            loads=loads,
        ),
        Stack(name="fastapi-orm", command=[*uvicorn, *quiet], environ=environ, port=8302, loads=loads),
        Stack(
            name="fair-floor",
            command=[PEERS_PYTHON, str(HERE / "floors/fair.py")],
            environ={**environ, "PORT": "8303"},
            port=8303,
            loads=reads,
        ),
        Stack(
            name="lyceum",
            command=[str(Path(sys.executable).with_name("lyceum")), "--config", str(seeded.config), "serve"],
            environ={},
            port=lyceum_data.PORT,
            loads=seeded.loads,
        ),
    ]


@contextlib.contextmanager
def running(all_stacks: Sequence[Stack], folder: Path) -> Iterator[dict[str, psutil.Process]]:
    """Start every stack; they idle but for the one under load."""
    for stack in all_stacks:
        require_free(stack.port)
    with contextlib.ExitStack() as opened:
        servers = {
            stack.name: opened.enter_context(serving(stack.command, stack.environ, folder / f"{stack.name}.log"))
            for stack in all_stacks
        }
        for stack in all_stacks:
            try:
                wait_until_answering(f"{stack.url}/ping")
            except OSError as error:
                error.add_note((folder / f"{stack.name}.log").read_text()[-2000:])
                raise
        yield servers


def compare(all_stacks: Sequence[Stack], jobs: Sequence[str], rounds: int, seconds: int, folder: Path) -> Results:
    """Return the results of every round, by job and stack."""
    found: Results = {}
    with running(all_stacks, folder) as servers:
        for turn in range(rounds + 1):  # the first warms up
            for job in jobs:
                for stack in all_stacks[:: 1 if turn % 2 else -1]:
                    if job not in stack.loads:
                        continue
                    result = measure(stack.loads[job], servers[stack.name], stack.url, seconds=seconds if turn else 2)
                    if turn:
                        found.setdefault((job, stack.name), []).append(result)
    return found


Results = dict[tuple[str, str], list[Result]]


def median(results: Sequence[Result], figure: str) -> float:
    """Return the median of one figure over the rounds."""
    return float(statistics.median(getattr(result, figure) for result in results))


def paired_ratio(ours: Sequence[Result], theirs: Sequence[Result], figure: str) -> float:
    """Return the median over the rounds of how many times *theirs* one figure of *ours* is."""
    pairs = zip(ours, theirs, strict=True)
    return float(statistics.median(getattr(one, figure) / getattr(other, figure) for one, other in pairs))


def show(results: Results, console: Console) -> bool:
    """Print both tables; return whether every goal is met."""
    figures = Table("job", "stack", "req/s", "p50 ms", "p99 ms", "server µs/req", "errors", title="Medians")
    for (job, stack), runs in results.items():
        row = [f"{median(runs, name):,.1f}" for name in ("rate", "p50", "p99", "cpu")]
        figures.add_row(job, stack, *row, str(sum(run.errors for run in runs)))
    console.print(figures)
    goals = Table("job", "against", "figure", "ratio", "goal", "met", title="Lyceum against the others")
    met = True
    for goal in GOALS:
        theirs = (goal.its_job or goal.job, goal.peer)
        if (goal.job, "lyceum") not in results or theirs not in results:
            continue
        ratio = paired_ratio(results[goal.job, "lyceum"], results[theirs], goal.figure)
        good = ratio <= goal.ratio if goal.figure == "p99" else ratio >= goal.ratio
        met &= good
        sign = "≤" if goal.figure == "p99" else "≥"
        against = f"{goal.peer}, {goal.its_job}" if goal.its_job else goal.peer
        goals.add_row(
            goal.job, against, goal.figure, f"{ratio:.2f}", f"{sign} {goal.ratio:.3g}", "yes" if good else "NO"
        )
    console.print(goals)
    return met


@click.command()
@click.option("--jobs", default="get,list,buy,redeem", show_default=True, help="Which jobs to measure.")
@click.option("--rounds", default=7, show_default=True, help="Rounds over all stacks.")
@click.option("--seconds", default=2, show_default=True, help="Length of one measurement.")
def main(jobs: str, rounds: int, seconds: int) -> None:
    """Measure all stacks and print the ratios."""
    os.sched_setaffinity(0, {int(DRIVER_CORE)})  # PostgreSQL, started below, inherits it
    with tempfile.TemporaryDirectory(prefix="bench-") as name, bench_postgres() as server:
        folder = Path(name)
        results = compare(stacks(server, folder), jobs.split(","), rounds, seconds, folder)
    if not show(results, Console(width=120)):
        sys.exit(1)


if __name__ == "__main__":
    main()
