"""Switching plugins in a configuration file that people wrote."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from kernel import errors
from kernel.cli.editing import Lists, edited, write
from kernel.config import load

BUNDLED = ("chat", "mail")
TEXT = """\
# Fern & Oak
[plugins]
# what is on
enabled = [
  "*",  # all of ours
  "acme",  # and theirs
]
disabled = ["chat"]  # until summer

[plugins.mail]
port = 25
"""


@pytest.mark.parametrize(
    ("enabled", "disabled", "on", "off", "expected"),
    [
        (["*"], ["chat"], ["chat"], [], (["*"], [])),
        (["*"], [], [], ["chat"], (["*"], ["chat"])),
        (["*"], [], ["acme"], [], (["*", "acme"], [])),
        (["*", "acme"], [], [], ["acme"], (["*"], [])),
        (["mail"], [], ["chat"], [], (["mail", "chat"], [])),
        (["mail", "chat"], [], [], ["chat"], (["mail"], [])),
        (["*"], ["chat"], [], ["chat"], (["*"], ["chat"])),
        (["*"], [], ["chat"], [], (["*"], [])),
    ],
)
def test_switching_touches_only_the_list_that_matters(
    enabled: list[str], disabled: list[str], on: list[str], off: list[str], expected: tuple[list[str], list[str]]
) -> None:
    """A bundled plugin is covered by `"*"` and switched off by name; a third party's is on only by name."""
    lists = Lists(enabled=tuple(enabled), disabled=tuple(disabled)).switched(on=on, off=off, bundled=BUNDLED)

    assert (list(lists.enabled), list(lists.disabled)) == expected


def test_edit_keeps_comments_and_order() -> None:
    """Everything but the name itself stays as it was written."""
    changed = edited(TEXT, "enabled", ["*", "acme", "zeta"])
    back = edited(changed, "enabled", ["*", "acme"])

    assert [line for line in changed.splitlines() if line not in TEXT.splitlines()] == ['  "zeta",']
    for comment in ("# Fern & Oak", "# what is on", "# all of ours", "# and theirs", "# until summer"):
        assert comment in changed
        assert comment in back


def test_edit_makes_what_is_missing() -> None:
    """A file without the section gets one."""
    assert edited("[server]\nport = 1\n", "disabled", ["chat"]) == (
        '[server]\nport = 1\n\n[plugins]\ndisabled = ["chat"]\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        '[plugins]\nenabled = ["*"]\n\n[providers]\n\n[plugins.mail]\nport = 25\n',
        '[plugins.mail]\nport = 25\n\n[providers]\n\n[plugins]\nenabled = ["*"]\ndisabled = []\n',
        "[plugins.mail]\nport = 25\n\n[providers]\n\n[plugins.chat]\n",
    ],
)
def test_edit_finds_the_section_wherever_its_parts_stand(text: str) -> None:
    """Other sections may stand between the lists and the settings of a plugin."""
    changed = edited(text, "disabled", ["chat"])

    assert [line for line in text.splitlines() if line not in changed.splitlines()] in ([], ["disabled = []"])
    assert tomllib.loads(changed)["plugins"] == tomllib.loads(text)["plugins"] | {"disabled": ["chat"]}


def files(folder: Path, *texts: str) -> list[Path]:
    found = [folder / f"{place}.toml" for place, _ in enumerate(texts)]
    for file, text in zip(found, texts, strict=True):
        file.write_text(text)
    return found


def test_write_changes_the_file_that_sets_the_list(tmp_path: Path) -> None:
    """With several files, the one whose list counts is changed, and no other."""
    first, second = named = files(tmp_path, '[plugins]\ndisabled = ["mail"]\n', '[plugins]\nenabled = ["*"]\n')
    config = load(named, {})
    written = write(config, named, Lists(enabled=("*",), disabled=("mail", "chat")))

    assert written == (first,)
    assert first.read_text() == '[plugins]\ndisabled = ["mail", "chat"]\n'
    assert second.read_text() == '[plugins]\nenabled = ["*"]\n'


def test_write_without_a_change_writes_nothing(tmp_path: Path) -> None:
    """What is so already is left alone."""
    named = files(tmp_path, TEXT)
    before = named[0].stat().st_mtime_ns

    assert write(load(named, {}), named, Lists(enabled=("*", "acme"), disabled=("chat",))) == ()
    assert named[0].stat().st_mtime_ns == before


def test_write_refuses_what_the_environment_decides(tmp_path: Path) -> None:
    """A file that would not count is not changed."""
    named = files(tmp_path, TEXT)
    config = load(named, {"LYCEUM_PLUGINS__DISABLED": "chat"})

    with pytest.raises(errors.InvalidSettings, match=r"^\[plugins\] disabled is set by LYCEUM_PLUGINS__DISABLED; "):
        write(config, named, Lists(enabled=("*", "acme"), disabled=("mail",)))
    assert named[0].read_text() == TEXT


def test_write_changes_all_files_or_none(tmp_path: Path) -> None:
    """A list that can not be changed keeps the other from being changed as well."""
    first, second = named = files(tmp_path, '[plugins]\nenabled = ["*"]\n', 'plugins = { disabled = ["mail"] }\n')

    with pytest.raises(errors.InvalidSettings, match=r"^\[plugins\] is not a table"):
        write(load(named, {}), named, Lists(enabled=("*", "acme"), disabled=("mail", "chat")))

    assert first.read_text() == '[plugins]\nenabled = ["*"]\n'
    assert second.read_text() == 'plugins = { disabled = ["mail"] }\n'


def test_write_names_the_file_that_can_not_be_written(tmp_path: Path) -> None:
    """With the reason, and what to do."""
    (file,) = named = files(tmp_path, TEXT)
    config = load(named, {})
    file.unlink()
    file.mkdir()  # which not even root can write to

    with pytest.raises(
        errors.InvalidSettings, match=r"0\.toml can not be written \(Is a directory\); change \[plugins\]"
    ):
        write(config, named, Lists(enabled=("*",), disabled=()))


def test_write_needs_a_file() -> None:
    """Without any file there is nothing to write to, and the message says how to name one."""
    with pytest.raises(errors.InvalidSettings, match=r"name one with --config FILE$"):
        write(load([], {}), [], Lists(enabled=("*",), disabled=("chat",)))


def test_edit_refuses_what_is_no_list() -> None:
    """A file in which the key is something else is not changed."""
    with pytest.raises(errors.InvalidSettings, match=r"^\[plugins\] enabled is not a list"):
        edited('[plugins]\nenabled = "all"\n', "enabled", ["*"])
