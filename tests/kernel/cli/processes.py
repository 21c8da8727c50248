"""`lyceum` as a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT = 60.0  # seconds, for what takes one or two


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def ask(port: int, path: str) -> tuple[int, bytes]:
    """Return status and body of a GET."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@dataclass
class Lyceum:
    """A running `lyceum`, whose output goes to a file."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def wait_for(self, path: str = "/-/ready") -> None:
        """Return when *path* answers 200."""
        self.wait_until(lambda: ask(self.port, path)[0] == 200)

    def wait_for_text(self, text: str) -> None:
        """Return when *text* has been printed."""
        self.wait_until(lambda: text in self.output())

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def stop(self, signal: int) -> int:
        """Send *signal*, and return the exit code."""
        self.process.send_signal(signal)
        return self.process.wait(LIMIT)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when *condition* holds; fail when the process has ended or nothing happens."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"lyceum ended with {self.process.returncode}: {self.output()}")
            with contextlib.suppress(OSError):
                if condition():
                    return
            time.sleep(0.02)
        raise AssertionError(f"it did not happen within {LIMIT:g} s: {self.output()}")


@contextlib.contextmanager
def running(folder: Path, arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> Iterator[Lyceum]:
    """Run `lyceum <arguments>` in *folder* while the block runs, on a port of its own."""
    port, log = free_port(), folder / "output.log"
    variables = {**os.environ, **(environ or {}), "LYCEUM_SERVER__PORT": str(port), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", "from kernel.cli import main; main()", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=output)
    try:
        yield Lyceum(process, port, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
