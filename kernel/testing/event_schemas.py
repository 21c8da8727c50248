"""The committed JSON Schemas of all events: `python -m kernel.testing.event_schemas` writes what is new of them."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from kernel import Event, Plugin, contracts
from kernel.testing.schemas import Schema, breaking_changes, schemas

FOLDER: Final = Path(contracts.__path__[0]) / "schemas"
COMMAND: Final = "python -m kernel.testing.event_schemas"


def all_events() -> set[type[Event]]:
    """Return the event types of every contract, and those that the manifests of our own plugins publish."""
    for module in pkgutil.iter_modules(contracts.__path__):
        importlib.import_module(f"{contracts.__name__}.{module.name}")
    found = {event for event in _subclasses(Event) if event.__module__.startswith(f"{contracts.__name__}.")}
    for entry in entry_points(group="lyceum.plugins"):
        if entry.value.startswith("plugins."):
            plugin: type[Plugin] = entry.load()
            found.update(plugin.manifest.publishes)
    return found


def committed(folder: Path = FOLDER) -> dict[str, Schema]:
    """Return wire name → schema as the files have it."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def problems(folder: Path = FOLDER) -> list[str]:
    """Return how the committed schemas differ from the event types, each with what to do; none is right."""
    old, new = committed(folder), schemas(all_events())
    found = [
        f"{name}: the event is gone; keep its class as long as logs may hold it" for name in old if name not in new
    ]
    for name, schema in new.items():
        if name not in old:
            found.append(f"{name}: has no committed schema; run `{COMMAND}`")
        elif breaking := breaking_changes(name, old[name], schema):
            found += breaking
        elif old[name] != schema:
            found.append(f"{name}: the committed schema is out of date; run `{COMMAND}`")
    return found


def write(folder: Path = FOLDER) -> list[str]:
    """Write the schemas that are new or changed compatibly; return the problems that remain."""
    write_into(folder, all_events())
    return problems(folder)


def write_into(folder: Path, events: Iterable[type[Event]]) -> None:
    """Write the schemas of *events* that are new or changed compatibly."""
    folder.mkdir(exist_ok=True)
    old = committed(folder)
    for name, schema in schemas(events).items():
        if name not in old or not breaking_changes(name, old[name], schema):
            (folder / f"{name}.json").write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n")


def _subclasses(root: type[Event]) -> Iterator[type[Event]]:
    for subclass in root.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


if __name__ == "__main__":
    left = write()
    sys.stderr.write("".join(f"{problem}\n" for problem in left))
    sys.exit(1 if left else 0)
