"""The tutorial, followed to the letter: its files are written, its commands are run, in the order of the text."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from tests.kernel.cli.test_scaffolding import environment_of

TUTORIAL: Final = Path(__file__).parents[2] / "docs" / "tutorial.md"
_BLOCK: Final = re.compile(r"^```{code-block} (\w+)\n:caption: ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Where the commands of a caption are run.
FOLDERS: Final = {
    "in the environment of your Lyceum": ".",
    "in lyceum-kudos": "lyceum-kudos",
    "where your config is": ".",
}


def test_tutorial_leads_to_a_plugin_that_works(tmp_path: Path) -> None:
    """Whoever copies each block has it installed, tested, checked and switched on in the end."""
    programs = environment_of(tmp_path / "environment")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "lyceum.toml").write_text("[plugins]\nenabled = []\n", encoding="utf-8")

    told = ""
    for language, caption, text in _BLOCK.findall(TUTORIAL.read_text(encoding="utf-8")):
        if language != "sh":
            file = tmp_path / caption
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            continue
        for command in text.splitlines():
            told += run(command, tmp_path / FOLDERS[caption], programs)

    assert " passed" in told
    assert re.search(r"kudos +0\.1\.0", told)


def run(command: str, folder: Path, programs: Path) -> str:
    """Run a line of the tutorial in *folder*; the programs of the environment come first."""
    if command == "pip install 'lyceum-platform[test]'":
        return ""  # the environment has what is being tested
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # which pip reads as: without isolation
    }
    name, *arguments = command.split()
    modules = {
        "pip": ["-m", "pip"],
        "pytest": ["-m", "pytest"],
        "lyceum": ["-c", "from kernel.cli import main; main()"],
    }
    line = [str(programs / "python"), *modules[name], *arguments] if name in modules else [name, *arguments]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
