"""What every command works with: the configuration, a way into the platform, and what people are shown."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec

from kernel import config
from kernel.context import Context

if TYPE_CHECKING:
    from kernel.lifecycle import Platform

T = TypeVar("T")

DEFAULT_FILE: Final = Path("config/lyceum.toml")
_UNBOUNDED: Final = 10_000  # columns: a table that no person looks at is not folded


@dataclass
class Console:
    """The click `obj` of every command, a plugin's too: take it with `@click.pass_obj`."""

    config_files: tuple[Path, ...] = ()  #: of `--config`
    json: bool = False  #: programs read the output: print JSON and nothing else to stdout
    safe: bool = False  #: run bundled plugins only
    quiet: bool = False  #: print nothing, and leave the logs as they are: a command within another one

    def files(self) -> tuple[Path, ...]:
        """Return the configuration files; without `--config` the default one, if it is there."""
        return self.config_files or ((DEFAULT_FILE,) if DEFAULT_FILE.is_file() else ())

    def tell_defaults(self) -> None:
        """Say on stderr which file was looked for and what is used instead, where there is no configuration file."""
        if self.quiet or self.files():
            return
        folder = self.load().database.folder()
        databases = f"SQLite files in {folder.absolute()}" if folder else "the databases that it names"
        click.echo(
            f"lyceum: there is no {DEFAULT_FILE.absolute()}; using the defaults, the environment (LYCEUM_…) "
            f"and {databases}. Name another file by --config",
            err=True,
        )

    def load(self, overrides: Mapping[str, object] | None = None) -> config.Config:
        """Read the configuration."""
        return config.load(self.files(), overrides=overrides)

    def boot(self, overrides: Mapping[str, object] | None = None, *, serving: bool = False) -> Platform:
        """Discover, resolve and configure; nothing runs yet. A command that is not *serving* logs warnings only."""
        from kernel import logs
        from kernel.lifecycle import Platform

        loaded = self.load(overrides)
        if not self.quiet:
            as_set = serving or loaded.log.level != "info"
            logs.set_up(loaded if as_set else replace(loaded, log=msgspec.structs.replace(loaded.log, level="warning")))
        platform = Platform.boot(loaded, safe=self.safe)
        if not gc.isenabled():  # `main` switched it off: what a start makes stays, and is much to look through
            gc.freeze()
            gc.enable()
        return platform

    def run(self, plugin: str, work: Callable[[Context[Any]], Awaitable[T]]) -> T:
        """Return what *work* returns, given the context of *plugin*: its database is open, nothing is served."""
        return self.within(lambda platform: work(platform.context(plugin)))

    def within(self, work: Callable[[Platform], Awaitable[T]]) -> T:
        """Return what *work* returns, given the platform: services are there, and nothing happens by itself."""

        async def inside() -> T:
            platform = self.boot()
            async with platform.running(background=False):
                return await work(platform)

        return asyncio.run(inside())

    def say(self, text: str) -> None:
        """Print *text* for people: to stderr where programs read stdout."""
        if not self.quiet:
            click.echo(text, err=self.json)

    def document(self, value: object) -> None:
        """Print *value* as JSON."""
        if not self.quiet:
            click.echo(msgspec.json.format(msgspec.json.encode(value).decode(), indent=2))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str = "none") -> None:
        """Print *rows* as a table, or as a JSON list of objects whose keys are made of the *columns*."""
        if self.json:
            keys = [column.lower().replace(" ", "_") for column in columns]
            self.document([dict(zip(keys, row, strict=True)) for row in rows])
        elif rows and not self.quiet:
            _print_table(columns, rows)
        else:
            self.say(empty)

    @contextlib.contextmanager
    def progress(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show on a terminal that *title* is under way, and at which step; elsewhere be silent."""
        if not sys.stderr.isatty():
            yield lambda step: None
            return
        from rich.console import Console as Terminal

        with Terminal(stderr=True).status(title) as status:
            yield lambda step: status.update(f"{title}: {step}")


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    from rich import box
    from rich.console import Console as Terminal
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, header_style="bold cyan")
    for row in rows:
        table.add_row(*(Text(_text(cell)) for cell in row))
    Terminal(width=None if sys.stdout.isatty() else _UNBOUNDED).print(table)


def _text(cell: object) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, (list, tuple)):
        return ", ".join(map(str, cell))
    return "" if cell is None else str(cell)
