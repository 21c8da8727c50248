"""Numbers that plugins show to operators at `/metrics`, each as it was when it was last set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


class Gauges:
    """What every plugin of one process has set."""

    def __init__(self) -> None:
        self._meanings: dict[str, str] = {}
        self._values: dict[str, dict[str, float]] = {}

    def of(self, plugin: str) -> PluginGauges:
        """Return the gauges of *plugin*."""
        return PluginGauges(self, plugin)

    def set(self, plugin: str, name: str, value: float, meaning: str) -> None:
        """Show *value* from now on.

        Raises:
            ValueError: Prometheus could not read the name.
        """
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{plugin}: {name!r} is no name of a gauge; use small letters, digits and underscores")
        self._meanings.setdefault(name, meaning)
        self._values.setdefault(name, {})[plugin] = value

    def __iter__(self) -> Iterator[tuple[str, str, Mapping[str, float]]]:
        """Yield name, meaning, and the value of each plugin that has set it."""
        for name, values in self._values.items():
            yield name, self._meanings[name], values


class PluginGauges:
    """The gauges of one plugin; see `kernel.context.Gauges`."""

    def __init__(self, gauges: Gauges, plugin: str) -> None:
        self._gauges = gauges
        self._plugin = plugin

    def set(self, name: str, value: float, meaning: str) -> None:
        self._gauges.set(self._plugin, name, value, meaning)
