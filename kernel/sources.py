"""Where settings come from: TOML files, the environment and the command line, merged with their provenance."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Union

from kernel import errors

PREFIX: Final = "LYCEUM_"
SEPARATOR: Final = "__"
COMMAND_LINE: Final = "the command line"


@dataclass(frozen=True)
class Leaf:
    """One value and the file or variable that gave it; *text* is true where the type has to be read from text."""

    value: object
    origin: str
    text: bool = False


Node = Union[Leaf, "Table"]
Table = dict[str, Node]


def gather(files: Sequence[Path], environ: Mapping[str, str], overrides: Mapping[str, object]) -> Table:
    """Return everything that is set; later files win over earlier ones, the environment over files.

    Raises:
        errors.InvalidSettings: a file can not be read; the message lists each that can not.
    """
    tree: Table = {}
    complaints: list[str] = []
    for file in files:
        try:
            _merge(tree, _table(tomllib.loads(file.read_text(encoding="utf-8")), str(file)))
        except OSError as error:
            complaints.append(f"{file} can not be read ({error.strerror}); create it, or leave it out of --config")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            complaints.append(f"{file} is not TOML: {error}; mend the line")
    if complaints:
        raise errors.InvalidSettings("\n".join(complaints))
    _merge(tree, from_environment(environ))
    _merge(tree, _table(overrides, COMMAND_LINE))
    return tree


def from_environment(environ: Mapping[str, str]) -> Table:
    """Return the settings among *environ*: `LYCEUM_PLUGINS__AUTH__SESSION_DAYS` is `[plugins.auth] session_days`."""
    tree: Table = {}
    for variable in sorted(environ):
        path = variable.removeprefix(PREFIX).lower().split(SEPARATOR)
        if variable.startswith(PREFIX) and len(path) > 1:
            _put(tree, _plugin_name(path), Leaf(environ[variable], variable, text=True))
    return tree


def plain(node: Node) -> object:
    """Return the values of *node* without their provenance."""
    return {key: plain(child) for key, child in node.items()} if isinstance(node, dict) else node.value


def leaves(node: Node) -> Iterator[Leaf]:
    """Yield every value below *node*."""
    if isinstance(node, Leaf):
        yield node
    else:
        for child in node.values():
            yield from leaves(child)


def origins(node: Node) -> str:
    """Return the files and variables that gave the values below *node*, for people to read."""
    return ", ".join(dict.fromkeys(leaf.origin for leaf in leaves(node))) or "nothing set"


def _plugin_name(path: list[str]) -> list[str]:
    # a variable can not hold the hyphens of `[plugins.acme-payments]`, and a plugin's name can not hold underscores
    return [path[0], path[1].replace("_", "-"), *path[2:]] if path[0] == "plugins" and len(path) > 2 else path


def _table(values: Mapping[str, object], origin: str) -> Table:
    return {
        key: _table(value, origin) if isinstance(value, Mapping) else Leaf(value, origin)
        for key, value in values.items()
    }


def _merge(tree: Table, later: Table) -> None:
    for key, node in later.items():
        mine = tree.get(key)
        if isinstance(mine, dict) and isinstance(node, dict):
            _merge(mine, node)
        else:
            tree[key] = node


def _put(tree: Table, path: Iterable[str], leaf: Leaf) -> None:
    *above, last = path
    for key in above:
        child = tree.setdefault(key, {})
        if isinstance(child, Leaf):
            child = tree[key] = {}
        tree = child
    tree[last] = leaf
