"""The command line as a whole: exit codes, refusals in one line, and help that always comes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.kernel.cli.conftest import Terminal


def test_success_is_exit_code_0(terminal: Terminal) -> None:
    """A command that did what was asked ends with 0."""
    done = terminal.type("--version")

    assert (done.code, done.out.split()[0], done.err) == (0, "lyceum", "")


def test_refusal_is_one_line_and_exit_code_1(terminal: Terminal) -> None:
    """Whatever keeps the deployment from booting is one readable line, without a traceback."""
    terminal.config.write_text('[plugins]\nenabled = ["corses"]\n')
    done = terminal.type("plugins", "list")

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "lyceum: corses: no installed plugin has this name ([plugins] enabled in config/lyceum.toml); "
        "did you mean 'courses'?\n"
    )


@pytest.mark.parametrize("arguments", [("nonsense",), ("serve", "--workers", "none"), ("events", "retry"), ("--nope",)])
def test_wrong_usage_is_exit_code_2(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    """A command that can not be understood ends with 2 and says how it is meant."""
    done = terminal.type(*arguments)

    assert done.code == 2
    assert done.err.startswith("Usage: ")


def test_help_lists_the_commands_of_enabled_plugins(terminal: Terminal) -> None:
    """Beside the kernel's commands stands one group for each plugin that has commands."""
    listed = terminal.type("--help").out

    assert "\n  serve " in listed
    assert "\n  auth " in listed


def test_help_leaves_out_disabled_plugins(terminal: Terminal) -> None:
    """The commands of a plugin that is off are not there."""
    terminal.config.write_text('[plugins]\nenabled = ["mail"]\n')

    assert "\n  auth " not in terminal.type("--help").out
    assert terminal.type("auth", "accounts").code == 2


def test_help_comes_whatever_is_wrong_with_the_configuration(terminal: Terminal) -> None:
    """Who has broken the configuration can still read how to mend it."""
    terminal.config.write_text("[plugins\n")
    done = terminal.type("--help")

    assert done.code == 0
    assert "\n  serve " in done.out
    assert done.err.startswith("lyceum: config/lyceum.toml is not TOML: ")


def test_config_files_are_read_in_the_order_of_the_command_line(terminal: Terminal) -> None:
    """A file named later wins; the default file is read only where none is named."""
    first, second = terminal.folder / "first.toml", terminal.folder / "second.toml"
    first.write_text('[plugins]\nenabled = ["mail", "web"]\n')
    second.write_text('[plugins]\ndisabled = ["web"]\n')
    done = terminal.type("--config", str(first), "--config", str(second), "--json", "plugins", "list")

    assert {one["plugin"] for one in done.json() if one["state"] == "configured"} == {"mail"}


def test_missing_config_file_is_named(terminal: Terminal) -> None:
    """A file that is not there is a refusal, not a silence."""
    done = terminal.type("--config", "nowhere.toml", "plugins", "list")

    assert done.code == 1
    assert done.err == (
        "lyceum: nowhere.toml can not be read (No such file or directory); create it, or leave it out of --config\n"
    )


def test_command_without_a_configuration_file_says_what_it_uses_instead(terminal: Terminal) -> None:
    """Who stands in another folder is told once, on stderr, that this is another deployment."""
    terminal.config.unlink()
    done = terminal.type("--json", "plugins", "plan")

    assert done.json()["boots"]
    assert done.err.count(f"there is no {terminal.config}; using the defaults") == 1
    assert f"SQLite files in {terminal.folder / 'var'}." in done.err


def test_databases_that_only_the_environment_names_are_not_called_files(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of a server may hold a password, and is not shown."""
    terminal.config.unlink()
    monkeypatch.setenv("LYCEUM_DATABASE__URL", "postgresql://lyceum:hidden@db.test/lyceum")
    done = terminal.type("plugins", "list")

    assert "the environment (LYCEUM_…) and the databases that it names." in done.err
    assert "hidden" not in done.err


@pytest.mark.parametrize("arguments", [("--config", "config/lyceum.toml"), ()])
def test_command_with_a_configuration_file_says_nothing_of_it(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    """A file that is there, named or by default, is what was meant."""
    assert terminal.type(*arguments, "plugins", "list").err == ""


def test_serving_imports_nothing_that_only_other_commands_need() -> None:
    """Several workers, migrations and the editing of files cost nothing where they are not used."""
    script = "import sys, kernel.cli.serving, kernel.cli.server\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert not {"alembic", "gunicorn", "tomlkit"} & set(done.stdout.split())
