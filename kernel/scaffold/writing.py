"""Writing a new plugin's files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import jinja2
from packaging.version import Version

from kernel import errors
from kernel.database.location import schema_name
from kernel.discovery import BUNDLE, Catalogue, name_refusal
from kernel.plugin import API_VERSION
from kernel.scaffold.choices import contributed, replaceable

TEMPLATES: Final = Path(__file__).parent / "templates"
SUFFIX: Final = ".jinja"
#: What ends a text in Python or TOML, or means something in it: the summary stands in both.
_QUOTES: Final = frozenset('"\\')


class Unwritable(Exception):
    """The plugin can not be written; the message says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the new plugin is to be."""

    name: str
    summary: str
    provides: str | None = None  #: a capability
    contributes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if refusal := name_refusal(self.name):
            raise Unwritable(refusal)
        try:
            schema_name(self.name)
        except errors.InvalidPlugin as error:
            raise Unwritable(error.message) from error
        if self.name in Catalogue.read().bundled():
            raise Unwritable(f"a plugin of the platform is called {self.name!r}; call yours acme-{self.name}, say")
        if not self.summary.isprintable() or _QUOTES & set(self.summary):
            raise Unwritable(
                f'the summary {self.summary!r} is no plain sentence; leave out what breaks lines, " and \\'
            )

    @property
    def distribution(self) -> str:
        return f"lyceum-{self.name}"

    @property
    def package(self) -> str:
        return self.distribution.replace("-", "_")

    @property
    def prefix(self) -> str:
        """Return what classes begin with."""
        return "".join(word.capitalize() for word in self.name.split("-"))


def write(wish: Wish, parent: Path) -> list[Path]:
    """Write the distribution into a new folder of *parent*; return its files.

    Raises:
        Unwritable: there is such a folder already, or it can not be written.
    """
    folder = parent / wish.distribution
    files = {folder / path: text for path, text in _rendered(wish)}
    try:
        folder.mkdir(parents=True)
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except FileExistsError as error:
        raise Unwritable(f"{folder} exists already; choose another name, or another folder by --folder") from error
    except OSError as error:
        raise Unwritable(f"{folder} can not be written ({error.strerror}); choose another by --folder") from error
    return sorted(files)


def _rendered(wish: Wish) -> Iterator[tuple[Path, str]]:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # it writes Python, from what its user chose
    )
    facts = _facts(wish)
    for template in sorted(environment.list_templates(extensions=[SUFFIX.removeprefix(".")])):
        text = environment.get_template(template).render(facts)
        if text.strip() or template.endswith(("__init__.py.jinja", "py.typed.jinja")):
            yield _path(template, wish), text.lstrip("\n")


def _facts(wish: Wish) -> dict[str, object]:
    platform = Version(version(BUNDLE))
    api = Version(API_VERSION)
    return {
        "wish": wish,
        "provided": replaceable(wish.provides) if wish.provides else None,
        "contributed": [contributed(name) for name in wish.contributes],
        "platform": f">={platform.base_version},<{platform.major}.{platform.minor + 1}",
        "kernel_api": f">={api.major},<{api.major + 1}",
        "prefix": wish.name.replace("-", "_"),
    }


def _path(template: str, wish: Wish) -> Path:
    path = template.removesuffix(SUFFIX)
    path = re.sub(r"^package/", f"{wish.package}/", path)
    return Path(path.replace("NAME", wish.name.replace("-", "_")))
