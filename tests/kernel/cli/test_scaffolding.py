"""`lyceum plugins new`: what it writes is a whole distribution, and its tests pass where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from kernel.scaffold.choices import CONTRIBUTED, REPLACEABLE
from tests.kernel.cli.conftest import Terminal

ROOT = Path(__file__).parents[3]
CONTRIBUTIONS = [text for one in CONTRIBUTED for text in ("--contributes", one.name)]


def run(*command: object, cwd: Path) -> str:
    """Run *command* and return what it printed; it must succeed."""
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "MYPYPATH": str(ROOT)}
    done = subprocess.run(
        [str(one) for one in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def generate(terminal: Terminal, parent: Path, *options: str) -> Path:
    """Have a plugin written; return its folder."""
    written = terminal.type("plugins", "new", "early-owl", *options, "--folder", str(parent))
    assert written.code == 0, written.err
    return parent / "lyceum-early-owl"


def environment_of(folder: Path) -> Path:
    """Make a fresh environment in which Lyceum is installed and nothing else; return the folder of its programs."""
    venv.create(folder, with_pip=False, symlinks=True)  # pip is the one that Lyceum was installed with
    packages = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    Path(packages, "lyceum.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return folder / "bin"


@pytest.mark.parametrize(
    "options",
    [[], CONTRIBUTIONS, *(["--provides", one.name] for one in REPLACEABLE)],
    ids=["plain", "contributions", *(one.name for one in REPLACEABLE)],
)
def test_generated_plugin_installs_and_its_tests_pass(terminal: Terminal, tmp_path: Path, options: list[str]) -> None:
    """In a fresh environment, by pip, as its author would do; and our own linter has nothing to say."""
    folder = generate(terminal, tmp_path, *options)
    programs = environment_of(tmp_path / "environment")

    run(programs / "python", "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "-e", ".", cwd=folder)
    told = run(programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=folder)

    assert " passed" in told
    for check in (["check", "--ignore", "S101"], ["format", "--check", "--diff"]):
        run(sys.executable, "-m", "ruff", *check, "--config", ROOT / "pyproject.toml", "--no-cache", cwd=folder)


def test_generated_plugin_has_the_types_that_it_says(terminal: Terminal, tmp_path: Path) -> None:
    """As strictly as our own code."""
    folder = generate(terminal, tmp_path, "--provides", "payments", *CONTRIBUTIONS)

    strictly = ("--strict", "--follow-imports=silent", "--cache-dir", tmp_path / "mypy")
    run(sys.executable, "-m", "mypy", *strictly, "lyceum_early_owl", "tests", cwd=folder)


def test_name_that_no_plugin_can_have_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    """Before anything is written, with what a name looks like."""
    done = terminal.type("plugins", "new", "Early_Owl", "--folder", str(tmp_path))

    assert "the name 'Early_Owl' can not be a plugin's; use lower-case letters and digits" in done.err
    assert not (tmp_path / "lyceum-Early_Owl").exists()


def test_nothing_is_overwritten(terminal: Terminal, tmp_path: Path) -> None:
    """What is there may be somebody's work."""
    terminal.type("plugins", "new", "owl", "--folder", str(tmp_path))
    (tmp_path / "lyceum-owl" / "README.md").write_text("mine")
    done = terminal.type("plugins", "new", "owl", "--folder", str(tmp_path))

    assert "lyceum-owl exists already; choose another name, or another folder by --folder" in done.err
    assert (tmp_path / "lyceum-owl" / "README.md").read_text() == "mine"
