"""The rules from the command line: `lyceum plugins check`."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from kernel import errors, logs
from kernel.cli.console import Console
from kernel.config import Config
from kernel.discovery import Catalogue
from kernel.sources import plain
from kernel.testing.conformance.examination import TABLES, boot, examine, looked
from kernel.testing.conformance.schemas import write_schemas
from kernel.testing.conformance.subject import Subject, find_subject
from kernel.testing.conformance.tables import tables_on_postgresql
from kernel.testing.conformance.verdicts import BROKEN, Verdict
from kernel.testing.ends import SqliteEnd


def check_plugin(console: Console, name: str) -> list[Verdict]:
    """Return the verdict on each rule, from databases in a folder that is removed afterwards.

    Raises:
        errors.UnknownPlugin: no plugin of this name is installed.
    """
    config = console.load()
    if not console.quiet:
        logs.set_up(config, io.StringIO())  # what refusals and failures come to is in the verdicts
    with TemporaryDirectory(prefix="lyceum-check-") as folder:
        return asyncio.run(_check(config, name, Path(folder)))


def write_schemas_of(name: str) -> None:
    """Write the schemas of the events of the plugin called *name*, as far as readers of the old ones can bear it.

    Raises:
        errors.BootError: it is not installed, or can not be loaded.
    """
    catalogue = Catalogue.read()
    installed = catalogue.get(name, where="the command line")
    write_schemas(find_subject(catalogue, installed, SqliteEnd(Path(), {})))


async def _check(config: Config, name: str, folder: Path) -> list[Verdict]:
    catalogue = Catalogue.read()
    if name not in catalogue:
        catalogue.get(name, where="the command line")
    try:
        subject = await _find(catalogue, config, name, folder)
    except errors.BootError as error:
        return [Verdict("manifest", BROKEN, error.message)]
    verdicts = [verdict async for verdict in examine(subject)]
    return [*verdicts, *(await _on_postgresql(subject))]


async def _find(catalogue: Catalogue, config: Config, name: str, folder: Path) -> Subject:
    """Return the plugin with its default settings; only where it does not boot with them, with the deployment's.

    Those may lead to the deployment's mail server, say, which has no part in a check.
    """
    installed, end = catalogue.get(name, where="the command line"), SqliteEnd(folder, {})
    subject = find_subject(catalogue, installed, end)
    configured = _settings(config, name)
    if configured:
        try:
            await boot(subject)
        except errors.BootError:
            return find_subject(catalogue, installed, end, settings=configured)
    return subject


def _settings(config: Config, name: str) -> Mapping[str, object]:
    plugins = config.tree.get("plugins")
    own = plain(plugins.get(name, {})) if isinstance(plugins, dict) else {}
    return {key: value for key, value in own.items() if key != "database"} if isinstance(own, dict) else {}


async def _on_postgresql(subject: Subject) -> list[Verdict]:
    try:
        booted = await boot(subject)
    except errors.BootError:  # which has been told
        return []
    return await looked(f"{TABLES} (postgresql)", tables_on_postgresql(booted))
