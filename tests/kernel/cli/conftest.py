"""A command line to type on, in a folder with a configuration of its own."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kernel.cli import main
from kernel.testing.printing import print_logs

CONFIG = """\
[server]
name = "Fern & Oak"  # the institution

[database]
url = "sqlite:///var"

[plugins]
# all that comes with the platform
enabled = ["*"]
disabled = []  # nothing yet
"""


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def rows(self) -> list[str]:
        """Return the lines of a table below its heading, with single spaces."""
        lines = [" ".join(line.split()) for line in self.out.splitlines() if line.strip()]
        return [line for line in lines[1:] if not set(line) <= {"─"}]


@dataclass(frozen=True)
class Terminal:
    """Types commands in *folder*."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config" / "lyceum.toml"

    def type(self, *arguments: str) -> Outcome:
        """Run `lyceum <arguments>`."""
        out, err, code = _stream(), _stream(), 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(arguments)
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Outcome(code, _written(out), _written(err))


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal in a new folder; commands set up the logs of the process, which is undone afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    found = Terminal(tmp_path)
    found.config.parent.mkdir()
    found.config.write_text(CONFIG, encoding="utf-8")
    handlers, level = list(logging.root.handlers), logging.root.level
    yield found
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    print_logs()
