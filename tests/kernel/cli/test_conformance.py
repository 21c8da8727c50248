"""`lyceum plugins check`: the rules of the house, and what breaking each looks like."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel.discovery import Catalogue
from tests.kernel.cli.conftest import Terminal

README = Path(__file__).parents[3] / "README.md"
SOUND = """
    from kernel import Manifest, Permission, Plugin, Request, get, hookimpl

    async def hello(request: Request) -> str:
        '''Say hello.'''
        return "hello"

    class AcmePlugin(Plugin):
        manifest = Manifest(name="acme", version="1.0", summary="Says hello")

        @hookimpl
        def permissions(self):
            return [Permission(name="acme.greet", summary="Be greeted")]

        @hookimpl
        def routes(self, ctx):
            return [get("", hello, permission="acme.greet")]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Installs a distribution with one plugin, `acme`."""
    site = tmp_path / "site"
    information = site / "acme-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[lyceum.plugins]\nacme = acme_lyceum:AcmePlugin\n")
    monkeypatch.syspath_prepend(str(site))

    def write(source: str) -> None:
        (site / "acme_lyceum").mkdir(exist_ok=True)
        (site / "acme_lyceum" / "__init__.py").write_text(textwrap.dedent(source))

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_lyceum"]:
        del sys.modules[name]


@pytest.mark.parametrize("name", Catalogue.read().bundled())
def test_every_bundled_plugin_keeps_every_rule(terminal: Terminal, name: str) -> None:
    """Ours come in by the same door as a stranger's."""
    done = terminal.type("--json", "plugins", "check", name)

    assert [one for one in done.json() if one["verdict"] != "kept"] == []
    assert done.code == 0


def test_sound_plugin_of_a_stranger_keeps_every_rule(terminal: Terminal, install: Callable[[str], None]) -> None:
    """A plugin that is off is checked as if it were on."""
    install(SOUND)
    done = terminal.type("--json", "plugins", "check", "acme")

    assert {one["verdict"] for one in done.json()} == {"kept"}
    assert done.code == 0


def test_plugin_of_the_readme_keeps_every_rule(terminal: Terminal, install: Callable[[str], None]) -> None:
    """What people begin with is sound as it stands."""
    source = README.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    install(source.replace("hello", "acme").replace("HelloPlugin", "AcmePlugin"))
    done = terminal.type("--json", "plugins", "check", "acme")

    assert {one["verdict"] for one in done.json()} == {"kept"}


@pytest.mark.parametrize(
    ("rule", "old", "new", "remedy"),
    [
        ("manifest", 'summary="Says hello"', 'summary=""', "set `summary` in the manifest"),
        ("manifest", 'version="1.0"', 'version="one"', "version 'one' is not one of PEP 440"),
        ("manifest", 'version="1.0"', 'version="1.0", kernel_api=">=1"', "kernel_api '>=1' admits kernels to come"),
        ("permissions", "acme.greet", "greet", "the permission 'greet' must begin with one of: acme."),
        ("permissions", "Be greeted", "", "say in the `summary` of 'acme.greet' what it allows"),
        ("routes", "'''Say hello.'''", "", "give the handler of GET / a docstring"),
        ("routes", "-> str", "", "has no return annotation"),
        ("isolation", "async def", "import plugins.mail\n\n    async def", "imports plugins.mail, another plugin"),
        ("boot", "class AcmePlugin(Plugin)", "class AcmePlugin", "must name a subclass of kernel.Plugin"),
    ],
)
def test_breach_is_named_with_its_remedy(
    terminal: Terminal, install: Callable[[str], None], rule: str, old: str, new: str, remedy: str
) -> None:
    """Each broken rule is a row of its own, says what to do, and makes the exit code 1."""
    install(SOUND.replace(old, new))
    done = terminal.type("--json", "plugins", "check", "acme")
    broken = [one for one in done.json() if one["verdict"] == "broken"]

    assert [one["rule"] for one in broken] == [rule]
    assert remedy in broken[0]["remedy"]
    assert done.code == 1


WITH_TABLES = """
    import sqlalchemy as sa
    from acme_lyceum import migrations
    from kernel import Manifest, Migrations, Plugin, hookimpl

    class AcmePlugin(Plugin):
        manifest = Manifest(name="acme", version="1.0", summary="Keeps what it hears")

        @hookimpl
        def migrations(self):
            return Migrations(sa.MetaData(), migrations)
"""
REVISION = "revision = 'acme_0001'\ndown_revision = None\n"


@pytest.mark.parametrize(
    ("name", "functions", "remedies"),
    [
        ("acme_0001.py", "def upgrade(): ...\ndef downgrade(): ...\n", []),
        ("acme_0001.py", "def upgrade(): ...\n", ["acme_0001.py needs both `upgrade` and `downgrade`"]),
        ("first.py", "def upgrade(): ...\ndef downgrade(): ...\n", ["begin the name of first.py with 'acme'"]),
    ],
)
def test_each_revision_goes_both_ways_and_bears_the_name_of_its_plugin(
    terminal: Terminal, install: Callable[[str], None], name: str, functions: str, remedies: list[str]
) -> None:
    """The `__init__.py` that makes a package of their folder is none of them."""
    install(WITH_TABLES)
    versions = terminal.folder / "site" / "acme_lyceum" / "migrations" / "versions"
    versions.mkdir(parents=True)
    for package in (versions.parent, versions):
        (package / "__init__.py").touch()
    (versions / name).write_text(REVISION + functions)
    done = terminal.type("--json", "plugins", "check", "acme")

    assert [one["remedy"] for one in done.json() if one["verdict"] == "broken"] == remedies
