"""The commands of plugins: `lyceum <plugin> …`, loaded when one of them is called or help is asked for."""

from __future__ import annotations

import click
import msgspec

from kernel import errors
from kernel.cli.console import Console
from kernel.discovery import Catalogue, choose, load
from kernel.hooks import Hooks


def names(console: Console) -> list[str]:
    """Return the enabled plugins that have commands, none while the configuration is wrong: help must always come."""
    try:
        return [name for name in _enabled(console) if find(console, name) is not None]
    except errors.BootError as error:
        click.echo(f"lyceum: {error}", err=True)
        return []


def find(console: Console, name: str) -> click.Command | None:
    """Return the group of the commands of the plugin *name*, None where it is off or has none."""
    if name not in _enabled(console):
        return None
    found = load(Catalogue.read().get(name, where="the command line"))
    hooks = Hooks()
    hooks.add(name, found.plugin)
    commands = hooks.many(name, "commands", click.Command)
    if not commands:
        return None
    return click.Group(name, help=found.manifest.summary, commands=commands)


def _enabled(console: Console) -> tuple[str, ...]:
    config = console.load()
    lists = msgspec.structs.asdict(config.plugins)
    where = {key: config.where("plugins", key) for key in lists}
    return choose(Catalogue.read(), lists, where, safe=console.safe)
