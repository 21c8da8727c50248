"""What plugins cost a start: `python -m bench.many_plugins`.

Fifty and a hundred plugins as `lyceum plugins new` writes them, each with settings, a table, routes, an event handler
and personal data, beside those that come with the platform; SQLite, migrated before. From a process's start to the
first 200 of `/-/ready`; the median of several starts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from bench.cold_start import environ, lyceum, start_once
from kernel.scaffold.writing import Wish, write

MANY: Final = 50
TIME_GOAL: Final = 3.0  # seconds, with so many
EACH_GOAL: Final = 0.030  # seconds, for each further one


def install(folder: Path, count: int) -> tuple[str, ...]:
    """Generate and install *count* plugins into *folder*; return their names."""
    wishes = [Wish(name=f"generated-{number}", summary="One of many") for number in range(count)]
    for wish in wishes:
        write(wish, folder)
        (folder / wish.distribution / wish.package).rename(folder / wish.package)
        info = folder / f"{wish.package}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {wish.distribution}\nVersion: 0.1.0\n")
        entry = f"{wish.name} = {wish.package}:{wish.prefix}Plugin"
        (info / "entry_points.txt").write_text(f"[lyceum.plugins]\n{entry}\n")
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder)], check=True)
    return tuple(wish.name for wish in wishes)


def median_start(count: int, runs: int) -> float:
    """Return the seconds of a start with *count* generated plugins."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        names = install(folder, count)
        os.environ["PYTHONPATH"] = str(folder)
        os.environ["LYCEUM_PLUGINS__ENABLED"] = ",".join(("*", *names))
        subprocess.run(lyceum("migrate"), env=environ(folder, 0), cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return statistics.median(start_once(folder).seconds for _ in range(runs))


@click.command()
@click.option("--runs", default=5, show_default=True)
def main(runs: int) -> None:
    """Start with the bundled plugins alone, with fifty more and with a hundred more."""
    none, many, twice = (median_start(count, runs) for count in (0, MANY, 2 * MANY))
    each = (twice - many) / MANY
    met = many < TIME_GOAL and each < EACH_GOAL
    Console().print(
        f"ready after {none:.2f} s, with {MANY} generated plugins after {many:.2f} s (goal < {TIME_GOAL:g} s), "
        f"{each * 1000:.1f} ms for each further one (goal < {EACH_GOAL * 1000:g} ms): {'met' if met else 'NOT met'}"
    )
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
