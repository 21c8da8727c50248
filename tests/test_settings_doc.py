"""`docs/settings.md` against the types: whoever reads it knows every setting, and none that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from kernel.annotations import describe, quote
from kernel.discovery import Catalogue, load
from kernel.sections import SECTIONS

DOCUMENT = Path(__file__).parents[1] / "docs" / "settings.md"
#: A setting: its value in words, and its default as it is written in TOML.
Facts = dict[str, tuple[str, str]]

_SECTION = re.compile(r"^## \[(.+)]$")
_ROW = re.compile(r"^\| `(?P<name>[a-z_]+)` \| (?P<kind>.+?) \| (?P<default>.*?) \| (?P<meaning>.+) \|$")


def expected() -> dict[str, Facts]:
    """Return section → its settings, of the kernel and of every bundled plugin."""
    return {section: _facts(kind) for section, kind in SECTIONS.items()} | dict(_plugins())


def _plugins() -> Iterator[tuple[str, Facts]]:
    catalogue = Catalogue.read()
    for name in catalogue.bundled():
        if (kind := load(catalogue.any(name)).plugin.settings()) is not None:
            yield f"plugins.{name}", _facts(kind)


def _facts(kind: type) -> Facts:
    return {field.name: (_cell(describe(field.type)), _default(field)) for field in msgspec.structs.fields(kind)}


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is None:
        return "not set"
    return "must be set" if field.default is msgspec.NODEFAULT else f"`{_cell(quote(field.default))}`"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def documented() -> dict[str, Facts]:
    """Return what the page says."""
    found: dict[str, Facts] = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if section := _SECTION.match(line):
            found[section[1]] = {}
        elif row := _ROW.match(line):
            found[list(found)[-1]][row["name"]] = (row["kind"], row["default"])
    return found


def test_every_setting_is_documented_as_it_is() -> None:
    """Name, values and default of each; a setting that is missing, unknown or different fails."""
    assert documented() == expected()
