"""The rule for events as others read them: their schemas are committed, and only ever grow."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from kernel.events.event import Event
from kernel.testing import event_schemas
from kernel.testing.conformance.subject import Subject
from kernel.testing.conformance.verdicts import Finding, broken, kept
from kernel.testing.schemas import breaking_changes, schemas


def event_schemas_kept(subject: Subject) -> Iterator[Finding]:
    """Each event fits the schema that is committed for it, or has grown compatibly."""
    for folder, events in _by_folder(subject).items():
        command = _command(subject, folder)
        old, new = event_schemas.committed(folder), schemas(events)
        for name, schema in new.items():
            if name not in old:
                yield broken(f"{name} has no committed schema in {folder.name}/; run `{command}` and commit it")
            elif breaking := breaking_changes(name, old[name], schema):
                yield from map(broken, breaking)
            elif old[name] != schema:
                yield kept(f"{name} has grown; run `{command}` and commit its schema, so that it never shrinks again")
        for name in old.keys() - new.keys() if folder != event_schemas.FOLDER else ():
            yield broken(f"{name} is published no more; keep its class in `publishes` as long as logs may hold it")


def write_schemas(subject: Subject) -> None:
    """Write the schemas of its own events that are new or have grown; what would break readers stays as it was."""
    for folder, events in _by_folder(subject).items():
        if folder != event_schemas.FOLDER:
            event_schemas.write_into(folder, events)


def _by_folder(subject: Subject) -> Mapping[Path, list[type[Event]]]:
    found: dict[Path, list[type[Event]]] = defaultdict(list)
    own = _own_folder(subject)
    if own.is_dir():
        found[own] = []
    for event in subject.manifest.publishes:
        found[event_schemas.FOLDER if _is_ours(event) else own].append(event)
    return found


def _is_ours(event: type[Event]) -> bool:
    return event.__module__.startswith(("kernel.", "plugins."))


def _own_folder(subject: Subject) -> Path:
    """Return `schemas/` in the plugin's package; of a plugin that is one module, a folder beside it with its name."""
    module = subject.module
    file = Path(str(module.__file__))
    if module.__package__:
        return Path(str(importlib.import_module(module.__package__).__file__)).parent / "schemas"
    return file.with_name(f"{file.stem}_schemas")


def _command(subject: Subject, folder: Path) -> str:
    if folder == event_schemas.FOLDER:
        return event_schemas.COMMAND
    return f"lyceum plugins check {subject.name} --write-schemas"
