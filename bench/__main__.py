"""Everything that is measured, one after the other: `make bench`, or `python -m bench compare cold_start`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import click

HERE: Final = Path(__file__).parent
#: Each is a module of this folder that prints its figures and exits with 1 when a goal is not met.
MEASUREMENTS: Final = (
    *("overhead", "cold_start", "many_plugins", "events", "caps", "storm", "verify", "compare"),
    *("chat", "chat_slow", "chat_storm", "search", "notifications"),
)
#: Those that run beside the peers.
AGAINST_PEERS: Final = frozenset({"compare", "chat"})
TOOLS: Final = {"wrk": "wrk", "node": "nodejs", "npm": "npm", "taskset": "util-linux", "gcc": "gcc"}


@click.command()
@click.argument("measurements", nargs=-1, type=click.Choice(MEASUREMENTS))
def main(measurements: tuple[str, ...]) -> None:
    """Run the named MEASUREMENTS, all of them where none is named."""
    chosen = measurements or MEASUREMENTS
    if AGAINST_PEERS.intersection(chosen):
        _prepare_peers()
    failed = [name for name in chosen if subprocess.run([sys.executable, "-m", f"bench.{name}"]).returncode]
    if failed:
        raise click.ClickException(f"goals not met: {', '.join(failed)}")


def _prepare_peers() -> None:
    """Install the peers where they are not yet; what only the system can bring is named."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        raise click.ClickException(f"the comparison needs packages of the system: {', '.join(missing)}")
    node = HERE / "peers" / "node"
    if not (node / "generated" / "client.mjs").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=node, check=True)
        subprocess.run(["npm", "run", "generate"], cwd=node, check=True)
    python = HERE / ".venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(HERE / ".venv")], check=True)
        lock = str(HERE / "requirements.lock")
        subprocess.run([str(python), "-m", "pip", "install", "-q", "--require-hashes", "-r", lock], check=True)


if __name__ == "__main__":
    main()
