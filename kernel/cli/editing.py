"""Changes which plugins are on in a configuration file, and leaves everything else in it as people wrote it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import tomlkit
from tomlkit.container import OutOfOrderTableProxy
from tomlkit.items import Array, Table

from kernel import errors
from kernel.config import Config
from kernel.discovery import ALL


@dataclass(frozen=True, kw_only=True)
class Lists:
    """The lists `enabled` and `disabled` of `[plugins]`."""

    enabled: tuple[str, ...]
    disabled: tuple[str, ...]

    def switched(self, *, on: Sequence[str], off: Sequence[str], bundled: Container[str]) -> Lists:
        """Return the lists with the plugins *on* and *off*; `"*"` stands for those that are *bundled*."""
        enabled = [name for name in self.enabled if name not in off]
        disabled = [name for name in self.disabled if name not in on]
        every = ALL in enabled
        enabled += [name for name in on if name not in enabled and not (every and name in bundled)]
        disabled += [name for name in off if every and name in bundled and name not in disabled]
        return Lists(enabled=tuple(enabled), disabled=tuple(disabled))


def write(config: Config, files: Sequence[Path], lists: Lists) -> tuple[Path, ...]:
    """Write what *lists* change into the files that set it; return those files.

    Raises:
        errors.InvalidSettings: the environment sets a list, or there is no file that can be written; none was changed.
    """
    now = config.plugins
    changes = {"enabled": (now.enabled, lists.enabled), "disabled": (now.disabled, lists.disabled)}
    targets = {key: _target(config, files, key) for key, (old, new) in changes.items() if old != new}
    texts: dict[Path, str] = {}
    try:
        for key, file in targets.items():
            texts[file] = edited(texts.get(file) or file.read_text(encoding="utf-8"), key, changes[key][1])
        for file, text in texts.items():
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise errors.InvalidSettings(
            f"{error.filename} can not be written ({error.strerror}); change [plugins] as somebody who may"
        ) from error
    return tuple(texts)


def edited(text: str, key: str, names: Sequence[str]) -> str:
    """Return the TOML *text* with exactly *names* in the array *key* of `[plugins]`, comments and order kept."""
    document = tomlkit.parse(text)
    plugins = document.setdefault("plugins", tomlkit.table())
    if not isinstance(plugins, Table | OutOfOrderTableProxy):  # the latter where others stand between its parts
        raise errors.InvalidSettings("[plugins] is not a table; write it as a section of its own")
    array = plugins.setdefault(key, tomlkit.array())
    if not isinstance(array, Array):
        raise errors.InvalidSettings(f"[plugins] {key} is not a list; write the names between [ and ]")
    for name in [name for name in array if name not in names]:
        array.remove(name)
    for name in names:
        if name not in array:
            array.append(name)
    return tomlkit.dumps(document)


def _target(config: Config, files: Sequence[Path], key: str) -> Path:
    origin = config.where("plugins", key)
    named = [file for file in files if str(file) == origin]
    if named:
        return named[-1]
    if origin == "the defaults" and files:
        return files[-1]
    if files:
        raise errors.InvalidSettings(f"[plugins] {key} is set by {origin}; change it there")
    raise errors.InvalidSettings("there is no configuration file to write to; name one with --config FILE")
