"""The command `lyceum` itself: its options, its commands, and those of the plugins."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from kernel import errors
from kernel.cli.console import Console

#: The kernel's commands: each is imported when it is called, so that none waits for the others.
_COMMANDS: Final = {
    "events": "kernel.cli.events:events",
    "migrate": "kernel.cli.serving:migrate",
    "openapi": "kernel.cli.serving:openapi",
    "plugins": "kernel.cli.plugins:plugins",
    "serve": "kernel.cli.serving:serve",
    "up": "kernel.cli.serving:up",
}


class Commands(click.Group):
    """The kernel's commands, and one group for each enabled plugin that has commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from kernel.cli import extensions

        return [*sorted(_COMMANDS), *extensions.names(ctx.ensure_object(Console))]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in _COMMANDS:
            module, _, attribute = _COMMANDS[name].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        from kernel.cli import extensions

        return extensions.find(ctx.ensure_object(Console), name)


def _remember(ctx: click.Context, option: click.Parameter, value: object) -> None:
    if value and option.name:
        setattr(ctx.ensure_object(Console), option.name, value)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Read this file after those named before; without it config/lyceum.toml, if it is there.",
    is_eager=True,
    expose_value=False,
    callback=_remember,
)
@click.option("--json", is_flag=True, help="Print JSON.", is_eager=True, expose_value=False, callback=_remember)
@click.option(
    "--safe", is_flag=True, help="Run bundled plugins only.", is_eager=True, expose_value=False, callback=_remember
)
@click.version_option(package_name="lyceum-platform", message="lyceum %(version)s")
@click.pass_context
def lyceum(ctx: click.Context) -> None:
    """Run and tend a Lyceum deployment: an e-learning platform whose every module is a plugin."""
    ctx.ensure_object(Console).tell_defaults()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a refusal is one line to stderr and exit code 1."""
    gc.disable()  # a quarter of the time of a start; `Console.boot` switches it on again
    try:
        lyceum(arguments)
    except errors.LyceumError as error:
        click.echo(f"lyceum: {error}", err=True)
        sys.exit(1)
    finally:
        gc.enable()
