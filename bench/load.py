"""One measurement: wrk against one server, with the CPU time that the server took for each request."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import psutil

DRIVERS: Final = Path(__file__).parent / "drivers"
SERVER_CORE: Final = "0"
DRIVER_CORE: Final = "1"  # shared by wrk, PostgreSQL and Redis
LOOK: Final = 0.3  # seconds between two looks at whether a server rests
IDLE: Final = 0.1  # of a core, which a server that rests takes at most
LONGEST_REST: Final = 30.0  # seconds
MILLISECONDS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one run measured."""

    rate: float  #: requests a second
    p50: float  #: ms
    p99: float  #: ms
    cpu: float  #: µs of the server's CPU for each request
    errors: int  #: answers other than 2xx and 3xx


@dataclass(frozen=True, kw_only=True)
class Load:
    """What wrk sends: a script of `drivers/` and the variables it reads."""

    script: str
    variables: Mapping[str, str]


def require_free(port: int) -> None:
    """Refuse to measure whatever else listens there.

    Raises:
        click.ClickException: something does.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise click.ClickException(f"port {port} is taken; end what listens there and try again") from error


@contextlib.contextmanager
def serving(command: Sequence[str], environ: Mapping[str, str], log: Path) -> Iterator[psutil.Process]:
    """Run a server alone on its core until the block ends."""
    pinned = ["taskset", "-c", SERVER_CORE, *command]
    with log.open("ab") as output:
        process = subprocess.Popen(pinned, env={**os.environ, **environ}, stdout=output, stderr=output)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure(load: Load, server: psutil.Process, url: str, *, connections: int = 32, seconds: int = 4) -> Result:
    """Return what wrk measures against the server at *url*."""
    before = _cpu_seconds(server)
    wrk = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(DRIVERS / load.script), url]
    done = subprocess.run(
        ["taskset", "-c", DRIVER_CORE, *wrk],
        env={**os.environ, **load.variables},
        capture_output=True,
        text=True,
        check=True,
    )
    spent = _settled_cpu_seconds(server) - before
    return _read(done.stdout, spent)


def wait_until_answering(url: str, seconds: float = 30) -> None:
    """Return when *url* answers at all."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _settled_cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time once the server rests: work that was put off belongs to the requests that caused it."""
    deadline = time.monotonic() + LONGEST_REST
    spent = _cpu_seconds(process)
    while time.monotonic() < deadline:
        time.sleep(LOOK)
        before, spent = spent, _cpu_seconds(process)
        if spent - before < LOOK * IDLE:
            break
    return spent


def _cpu_seconds(process: psutil.Process) -> float:
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def _read(output: str, spent: float) -> Result:
    requests = int(_find(r"(\d+) requests in", output))
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return Result(
        rate=float(_find(r"Requests/sec:\s+([\d.]+)", output)),
        p50=_milliseconds(_find(r"^ +50%\s+(\S+)", output)),
        p99=_milliseconds(_find(r"^ +99%\s+(\S+)", output)),
        cpu=spent / requests * 1e6,
        errors=int(refused[1]) if refused else 0,
    )


def _find(pattern: str, output: str) -> str:
    found = re.search(pattern, output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk did not say {pattern!r}:\n{output}")
    return found[1]


def _milliseconds(text: str) -> float:
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * MILLISECONDS[unit]
