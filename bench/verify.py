"""The time that `lyceum payments verify` takes for a ledger of 1,000,000 entries: `python -m bench.verify`.

The command runs in a process of its own, on an empty ledger and on the full one; by how much more memory it needs at
its peak for the full one is what the size of a ledger costs.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console

from bench.ledger_data import Books
from bench.servers import bench_postgres
from kernel import Secrets, new_id
from kernel.config import load
from kernel.lifecycle import Platform

ENTRIES: Final = 1_000_000
TIME_GOAL: Final = 20.0  # seconds
MEMORY_GOAL: Final = 50.0  # MB
COURSES: Final = 1000

CONFIG: Final = """
[server]
secret = "file:{folder}/secret"

[database]
url = "{url}"
"""


@dataclass(frozen=True)
class Run:
    """One run of the command."""

    seconds: float
    cpu_seconds: float  #: of the command's own process, which other work on the machine does not lengthen
    megabytes: float  #: at its peak
    rows: dict[str, int]


def books_of(secrets: Secrets, entries: int) -> Books:
    """Return a ledger of people who each get both credits, buy 20 courses and have two of them refunded in parts."""
    books, courses = Books(secrets), [new_id() for _ in range(COURSES)]
    while books.entries < entries:
        person = new_id()
        books.adjust(person, 100_000)
        books.adjust(person, 3_000, "promotional")
        for number in range(20):
            parts = (500, 700) if number >= 18 else ()
            books.charge(person, courses[books.entries % COURSES], 2000 + number, *parts)
    return books


def fill(url: str, secret: bytes, entries: int) -> None:
    """Write such a ledger into the database."""
    asyncio.run(books_of(Secrets(secret), entries).write(url))


def verify(config: Path) -> Run:
    """Run the command as an administrator does."""
    lyceum = str(Path(sys.executable).with_name("lyceum"))
    command = [lyceum, "--json", "--config", str(config), "payments", "verify"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=config.parent)
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)  # what it used, which `Popen.wait` does not say
    seconds = time.perf_counter() - began
    if status:
        raise RuntimeError(f"the ledger does not agree: {output.decode()[:1000]}")
    rows = msgspec.json.decode(output)["rows"]
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000, rows)


def measure(url: str, folder: Path, entries: int) -> tuple[Run, Run]:
    """Return the runs on an empty ledger and on one of so many *entries*."""
    config, secret = folder / "lyceum.toml", os.urandom(32).hex()
    (folder / "secret").write_text(secret)
    config.write_text(CONFIG.format(folder=folder, url=url))
    asyncio.run(Platform.boot(load([config], {})).migrate())
    empty = verify(config)
    # In a process of its own: a process that is started counts the memory of its parent as its own peak.
    filling = multiprocessing.get_context("spawn").Process(target=fill, args=(url, secret.encode(), entries))
    filling.start()
    filling.join()
    return empty, verify(config)


@click.command()
@click.option("--entries", default=ENTRIES, show_default=True)
def main(entries: int) -> None:
    """Fill a ledger, verify it and print time and memory."""
    with bench_postgres() as server, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        empty, full = measure(server.url("lyceum"), Path(folder), entries)
    grown = full.megabytes - empty.megabytes
    met = full.seconds < TIME_GOAL and grown < MEMORY_GOAL
    entries, seconds = 2 * full.rows["transfers"], full.seconds
    Console().print(
        f"verified a ledger of {entries:,} entries in {seconds:.1f} s (goal < {TIME_GOAL:.0f} s), "
        f"{full.cpu_seconds:.1f} s of them CPU time of the command; memory at the peak {full.megabytes:.0f} MB, "
        f"{grown:.0f} MB more than for an empty one (goal < {MEMORY_GOAL:.0f} MB): {'met' if met else 'NOT met'}"
    )
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
