"""`lyceum plugins new`: what it writes is a whole distribution, and its tests pass where it is installed."""

from __future__ import annotations

import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from kernel.scaffold.choices import ALWAYS, CONTRIBUTED, REPLACEABLE
from kernel.testing import contracts
from kernel.testing.fakes import FAKES
from tests.kernel.cli.conftest import Terminal

ROOT = Path(__file__).parents[3]
CONTRIBUTIONS = [text for one in CONTRIBUTED for text in ("--contributes", one.name)]
#: What is written, by the last word of its name: each beginning there is.
WISHES = {
    "alone": [],
    "adds": CONTRIBUTIONS,
    **{one.name: ["--provides", one.name] for one in REPLACEABLE},
    "both": ["--provides", "payments", *CONTRIBUTIONS],
}
PYTEST = ("-m", "pytest", "-v", "-p", "no:cacheprovider")
#: Everything that is in these is in the last one too.
WITHIN_BOTH = ("adds", "payments")


def run(*command: object, cwd: Path, **environ: str) -> str:
    """Run *command* and return what it printed; it must succeed."""
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environ}
    done = subprocess.run(
        [str(one) for one in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Written:
    """What was written."""

    parent: Path

    def of(self, word: str) -> Path:
        return self.parent / f"lyceum-early-owl-{word}"

    def folders(self) -> list[Path]:
        return [self.of(word) for word in WISHES]


@pytest.fixture
def written(terminal: Terminal, tmp_path: Path) -> Written:
    """A plugin of every kind."""
    parent = tmp_path / "owls"
    for word, options in WISHES.items():
        done = terminal.type("plugins", "new", f"early-owl-{word}", *options, "--folder", str(parent))
        assert done.code == 0, done.err
    return Written(parent)


def environment_of(folder: Path) -> Path:
    """Make a fresh environment in which Lyceum is installed and nothing else; return the folder of its programs."""
    venv.create(folder, with_pip=False, symlinks=True)  # pip is the one that Lyceum was installed with
    packages = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    Path(packages, "lyceum.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return folder / "bin"


def test_generated_plugins_install_and_their_tests_pass(written: Written, tmp_path: Path) -> None:
    """In a fresh environment, by pip, as their authors would do: one of them on both ends, the others on SQLite.

    The others share a pytest, with the settings of one of them, which all of them have.
    """
    python = environment_of(tmp_path / "environment") / "python"
    both = written.of("both")
    others = [written.of(word) for word in WISHES if word not in ("both", *WITHIN_BOTH)]
    editable = [text for folder in (both, *others) for text in ("-e", folder)]
    shared = ("--import-mode=importlib", "--rootdir", written.parent, "-c", others[0] / "pyproject.toml")
    tests = [folder / "tests" for folder in others]

    run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", *editable, cwd=tmp_path)
    told_of_one = run(python, *PYTEST, cwd=both)
    told = run(python, *PYTEST, *shared, "-k", "not postgresql", *tests, cwd=written.parent)

    for folder in others:
        assert f"{folder.name}/tests/test_rules.py::test_plugin_keeps_the_rules_of_the_house[sqlite] PASSED" in told
    assert "tests/test_rules.py::test_plugin_keeps_the_rules_of_the_house[postgresql] PASSED" in told_of_one


def test_our_own_linter_has_nothing_to_say_about_generated_plugins(written: Written) -> None:
    """Nor does its formatter."""
    source = f"src = {[str(folder) for folder in written.folders()]}"
    for check in (["check", "--ignore", "S101"], ["format", "--check", "--diff"]):
        options = ("--config", ROOT / "pyproject.toml", "--config", source, "--no-cache")
        run(sys.executable, "-m", "ruff", *check, *options, ".", cwd=written.parent)


def test_generated_plugins_have_the_types_that_they_say(written: Written, tmp_path: Path) -> None:
    """As strictly as our own code."""
    sources = tmp_path / "sources"
    for folder in written.folders():
        package = folder.name.replace("-", "_")
        shutil.copytree(folder / package, sources / package)
        shutil.copytree(folder / "tests", sources / f"{package}_tests")  # those of each have the same names

    strictly = ("--strict", "--follow-imports=silent", "--explicit-package-bases", "--cache-dir", os.devnull)
    run(sys.executable, "-m", "mypy", *strictly, ".", cwd=sources, MYPYPATH=f"{ROOT}{os.pathsep}{sources}")


@pytest.mark.parametrize("module", contracts.KITS)
def test_whatever_has_a_kit_can_be_begun(module: str) -> None:
    """Each kit that we ship is passed by something that is written, or named as one that comes later."""
    found = vars(importlib.import_module(f"kernel.testing.contracts.{module}"))
    shipped = {name for name in found.get("__all__", found) if name.endswith("Contract")}
    known = {kit for one in REPLACEABLE for kit in (*one.kits, *one.later)}

    assert shipped
    assert shipped - known - {one.kit for one in (*CONTRIBUTED, *ALWAYS)} == set()


def test_every_kit_is_known_by_the_list_of_kits() -> None:
    """A folder or module more can not be forgotten."""
    helpers = {"in_memory"}

    assert {one.name for one in pkgutil.iter_modules(contracts.__path__)} - helpers == set(contracts.KITS)


def test_whatever_can_be_replaced_has_a_provider_in_memory() -> None:
    """With which those begin that replace it, and which stands in where a test leaves the real one out."""
    capabilities = {getattr(_contract(one.name), one.constant) for one in REPLACEABLE}

    assert capabilities == set(FAKES)


def _contract(name: str) -> ModuleType:
    return importlib.import_module(f"kernel.contracts.{name}")


def test_name_that_no_plugin_can_have_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    """Before anything is written, with what a name looks like: also one that would take the place of our own code."""
    long = "owl" * 21
    refusals = {
        "Early_Owl": "'Early_Owl' can not be the name of a plugin; use lower-case letters, digits and hyphens",
        "platform": "'platform' can not be the name of a plugin",  # its distribution would be ours
        "payments": "a plugin of the platform is called 'payments'; call yours acme-payments, say",
        long: f"the name {long!r} can not name a database schema; use up to 61 ",
    }
    for name, told in refusals.items():
        done = terminal.type("plugins", "new", name, "--folder", str(tmp_path / "new"))
        assert (done.code, told in done.err) == (1, True), done.err

    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("summary", ['Says "hoot"', "Hoots \\N{x}", 'Hoots"""\nimport os', "Hoots\r\n"])
def test_summary_that_would_be_code_is_refused(terminal: Terminal, tmp_path: Path, summary: str) -> None:
    """It stands in Python and in TOML."""
    done = terminal.type("plugins", "new", "owl", "--summary", f"{summary}!", "--folder", str(tmp_path))

    assert (done.code, 'is no plain sentence; leave out what breaks lines, " and \\' in done.err) == (1, True), done.err
    assert not (tmp_path / "lyceum-owl").exists()


def test_what_is_said_twice_is_written_once(terminal: Terminal, tmp_path: Path) -> None:
    """The same contribution, and the full stop of a sentence."""
    twice = ("--contributes", "price_rule") * 2
    terminal.type("plugins", "new", "owl", "--summary", "It’s an owl.", *twice, "--folder", str(tmp_path))

    written = (tmp_path / "lyceum-owl" / "lyceum_owl" / "__init__.py").read_text(encoding="utf-8")
    assert "provides=(PRICE_RULE, PERSONAL_DATA)," in written
    assert written.startswith('"""It’s an owl."""\n')


def test_folder_that_can_not_be_written_is_named(terminal: Terminal, tmp_path: Path) -> None:
    """With the reason, and what to do."""
    (tmp_path / "file").touch()
    done = terminal.type("plugins", "new", "owl", "--folder", str(tmp_path / "file" / "more"))

    assert "lyceum-owl can not be written (Not a directory); choose another by --folder" in done.err


def test_nothing_is_overwritten(terminal: Terminal, tmp_path: Path) -> None:
    """What is there may be somebody's work."""
    terminal.type("plugins", "new", "owl", "--folder", str(tmp_path))
    (tmp_path / "lyceum-owl" / "README.md").write_text("mine")
    done = terminal.type("plugins", "new", "owl", "--folder", str(tmp_path))

    assert "lyceum-owl exists already; choose another name, or another folder by --folder" in done.err
    assert (tmp_path / "lyceum-owl" / "README.md").read_text() == "mine"
