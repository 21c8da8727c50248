"""Databases of tests lie in memory, where there is some, and leave nothing there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kernel.testing.memory import folder_in_memory


def test_what_a_killed_run_left_is_deleted_by_the_next(tmp_path: Path) -> None:
    """A run that still goes on keeps its folder."""
    code = f"from pathlib import Path; from kernel.testing.memory import *; folder_in_memory(Path({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True)
    (left,) = tmp_path.iterdir()

    mine = folder_in_memory(tmp_path)
    another = folder_in_memory(tmp_path)

    assert left not in (mine, another)
    assert set(tmp_path.iterdir()) == {mine, another}


def test_a_machine_with_little_memory_uses_its_disk(tmp_path: Path) -> None:
    """Neither a folder that is too small nor one that is missing is used."""
    assert folder_in_memory(tmp_path, enough=2**62) is None
    assert folder_in_memory(tmp_path / "missing") is None
    assert not list(tmp_path.iterdir())
