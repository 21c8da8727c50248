"""Takes guards away one by one, and runs the tests that must miss them: `make mutants`, or `… ARGS="codes ledger"`.

The guards are those of `mutants.toml`; with arguments, those in whose file or name one of them occurs. Everything
happens in copies of this tree. The exit code is 1 when a guard can go without a test that fails, or is not found.
"""

from __future__ import annotations

import compileall
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from rich.console import Console
from rich.table import Table

ROOT: Final = Path(__file__).parents[1]
COPIED: Final = ("kernel", "plugins", "examples", "tests", "config", "docs", "bench", "pyproject.toml", "README.md")
AT_ONCE: Final = 2  # copies, each with a test run of its own
LIMIT: Final = 180.0  # seconds for the tests of one guard; one that makes them hang is missed as well
_FAILED: Final = re.compile(r"^FAILED (\S+)", re.MULTILINE)

Verdict = Literal["missed", "hung", "survived", "not found", "not run"]
#: What a guard should come to.
GOOD: Final = ("missed", "hung")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """The tree without one guard."""

    guard: str
    file: str
    text: str
    without: str
    tests: tuple[str, ...]

    def occurrences(self) -> int:
        """Return how often the guard stands in its file."""
        return (ROOT / self.file).read_text(encoding="utf-8").count(self.text)


@dataclass(frozen=True)
class Outcome:
    """What came of taking one guard away, and what was said."""

    mutant: Mutant
    verdict: Verdict
    seconds: float
    said: str = ""


def mutants() -> tuple[Mutant, ...]:
    """Return every one, in the order of the file."""
    rows = tomllib.loads(Path(__file__).with_name("mutants.toml").read_text(encoding="utf-8"))["mutant"]
    return tuple(Mutant(**{**row, "tests": tuple(row["tests"])}) for row in rows)


def examine(mutant: Mutant, tree: Path) -> Outcome:
    """Take the guard away in *tree*, run its tests, and put it back."""
    if mutant.occurrences() != 1:
        return Outcome(mutant, "not found", 0, f"its text stands {mutant.occurrences()} times in {mutant.file}")
    file, began = tree / mutant.file, time.monotonic()
    whole, times = file.read_text(encoding="utf-8"), file.stat()
    file.write_text(whole.replace(mutant.text, mutant.without), encoding="utf-8")
    try:
        verdict, said = run_tests(mutant.tests, tree)
    finally:
        file.write_text(whole, encoding="utf-8")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # so that its bytecode is good again
    return Outcome(mutant, verdict, time.monotonic() - began, said)


def run_tests(tests: Sequence[str], tree: Path) -> tuple[Verdict, str]:
    """Run *tests* of *tree*; return whether all of them failed, and what pytest said."""
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "--tb=line", "--show-capture=no", "-p", "no:cacheprovider"]
    if len(tests) == 1:
        command.append("-x")  # its first failure on either end is enough
    paths = os.pathsep.join(map(str, (tree, *sorted(tree.glob("examples/*")))))
    environ = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run([*command, *tests], cwd=tree, env=environ, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "hung", ""
    failed = _FAILED.findall(done.stdout)
    if done.returncode not in (0, 1) or (done.returncode == 1 and not failed):
        return "not run", done.stdout + done.stderr  # nothing was said about the guard
    missed = all(any(one.startswith(test) for one in failed) for test in tests)
    return ("missed" if missed else "survived"), done.stdout


def copy_to(tree: Path) -> Path:
    """Copy what tests need to *tree*."""
    tree.mkdir()
    leave = shutil.ignore_patterns("__pycache__", "node_modules", "results")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=leave)
        else:
            shutil.copy2(source, tree / name)
    for package in ("kernel", "plugins", "examples"):
        compileall.compile_dir(tree / package, quiet=1)
    return tree


def examine_all(chosen: Sequence[Mutant]) -> Iterator[Outcome]:
    """Yield the outcomes in order."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(AT_ONCE) as workers:
        trees: queue.Queue[Path] = queue.Queue()
        for number in range(AT_ONCE):
            trees.put(copy_to(Path(folder) / str(number)))

        def examined(mutant: Mutant) -> Outcome:
            tree = trees.get()
            try:
                return examine(mutant, tree)
            finally:
                trees.put(tree)

        yield from workers.map(examined, chosen)


def main(words: Sequence[str]) -> int:
    """Examine, print a table as it goes, and return the exit code."""
    chosen = [one for one in mutants() if not words or any(word in one.file + one.guard for word in words)]
    console, began = Console(), time.monotonic()
    outcomes = []
    for outcome in examine_all(chosen):
        outcomes.append(outcome)
        line = f"{outcome.verdict:<10} {outcome.seconds:5.1f} s  {outcome.mutant.file}: {outcome.mutant.guard}"
        console.print(line, soft_wrap=True, highlight=False)
    bad = [outcome for outcome in outcomes if outcome.verdict not in GOOD]
    table = Table("guard", "file", "verdict", title=f"{len(outcomes)} guards in {time.monotonic() - began:.0f} s")
    for outcome in bad:
        table.add_row(outcome.mutant.guard, outcome.mutant.file, outcome.verdict)
        console.print(outcome.said, markup=False, highlight=False)
    console.print(table if bad else f"every guard is missed: {table.title}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
