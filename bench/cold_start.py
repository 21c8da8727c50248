"""The time from a process's start to the first 200 of `/-/ready`, and its memory then: `python -m bench.cold_start`.

All plugins on, SQLite, migrated before. The median of several starts is reported.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import psutil
from rich.console import Console

TIME_GOAL: Final = 1.5  # seconds
MEMORY_GOAL: Final = 120  # MB
PAUSE: Final = 0.005  # seconds between two looks


@dataclass(frozen=True)
class Start:
    """One start of the server."""

    seconds: float
    megabytes: float


def lyceum(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("lyceum")), *arguments]


def environ(folder: Path, port: int) -> dict[str, str]:
    settings = {
        "LYCEUM_SERVER__PORT": str(port),
        "LYCEUM_SERVER__DEVELOPMENT": "true",
        "LYCEUM_DATABASE__URL": f"sqlite:///{folder}",
    }
    # An installation has its bytecode; a machine that forbids writing it would measure the compiler.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **settings}


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def start_once(folder: Path) -> Start:
    """Start the server, wait for its first 200, stop it."""
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        lyceum("serve"), env=environ(folder, port), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        while not is_ready(port):
            if process.poll() is not None:
                raise RuntimeError(process.stderr.read().decode() if process.stderr else "the server ended")
            time.sleep(PAUSE)
        return Start(time.perf_counter() - began, psutil.Process(process.pid).memory_info().rss / 1e6)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@click.command()
@click.option("--runs", default=7, show_default=True)
def main(runs: int) -> None:
    """Start the server several times and print the medians."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        subprocess.run(lyceum("migrate"), env=environ(folder, 0), cwd=folder, check=True, stdout=subprocess.DEVNULL)
        starts = [start_once(folder) for _ in range(runs)]
    seconds = statistics.median(start.seconds for start in starts)
    megabytes = statistics.median(start.megabytes for start in starts)
    met = seconds < TIME_GOAL and megabytes < MEMORY_GOAL
    Console().print(
        f"first 200 of /-/ready after {seconds:.2f} s (goal < {TIME_GOAL} s), "
        f"{megabytes:.0f} MB (goal < {MEMORY_GOAL} MB): {'met' if met else 'NOT met'}"
    )
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
