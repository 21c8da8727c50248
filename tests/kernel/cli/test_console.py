"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import io
import sys
from uuid import UUID

import pytest

from kernel.cli import Console

COLUMNS = ("Plugin", "Last error")
ROWS = (("mail", None), ("[bold]users[/]", ["a", "b"]))


def test_table_shows_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Values are no markup, lists are joined, what is not there is left empty, and nothing is cut off."""
    Console().table(("Name", "Text"), [("[red]x", "y" * 300), (None, ("a", 1))])
    printed = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]

    assert printed[0] == ["Name", "Text"]
    assert printed[2:] == [["[red]x", "y" * 300], ["a,", "1"]]


def test_table_is_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` a table is a list of objects, whose keys are made of the headings."""
    Console(json=True).table(COLUMNS, [("mail", None), ("users", UUID(int=1))])

    assert capsys.readouterr().out == (
        '[\n  {\n    "plugin": "mail",\n    "last_error": null\n  },\n'
        '  {\n    "plugin": "users",\n    "last_error": "00000000-0000-0000-0000-000000000001"\n  }\n]\n'
    )


def test_empty_table_says_so_to_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    """People read a word, programs an empty list."""
    Console().table(COLUMNS, [], empty="no plugins")
    Console(json=True).table(COLUMNS, [], empty="no plugins")

    assert capsys.readouterr().out == "no plugins\n[]\n"


def test_words_go_to_stderr_where_programs_read_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` stdout holds JSON and nothing else."""
    Console(json=True).say("done")

    assert capsys.readouterr() == ("", "done\n")


def test_quiet_console_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A command within another one leaves the screen to it."""
    console = Console(quiet=True)
    console.say("done")
    console.document({})
    console.table(COLUMNS, ROWS)

    assert capsys.readouterr() == ("", "")


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_color", "has_escapes"), [("1", False), (None, True)])
def test_colours_respect_no_color(monkeypatch: pytest.MonkeyPatch, no_color: str | None, has_escapes: bool) -> None:
    """NO_COLOR keeps a terminal free of colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    Console().table(COLUMNS, ROWS)

    assert ("36m" in screen.getvalue()) is has_escapes
