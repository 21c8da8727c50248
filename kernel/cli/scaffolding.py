"""`lyceum plugins new`: a plugin to begin with."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from kernel.scaffold.choices import CONTRIBUTED, REPLACEABLE
from kernel.scaffold.writing import Unwritable, Wish, write

NOTHING = "nothing"


@click.command("new")
@click.argument("name")
@click.option("--summary", help="One sentence for those who choose plugins.")
@click.option("--provides", type=click.Choice([one.name for one in REPLACEABLE]), help="The module that it replaces.")
@click.option(
    "--contributes",
    multiple=True,
    type=click.Choice([one.name for one in CONTRIBUTED]),
    help="What it adds to other modules; several are possible.",
)
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where; by default here."
)
def new(name: str, summary: str | None, provides: str | None, contributes: tuple[str, ...], folder: Path) -> None:
    """Write the plugin NAME, as a distribution of its own whose tests pass.

    Without options it asks, where there is somebody to answer.
    """
    if summary is None and provides is None and not contributes and sys.stdin.isatty():
        summary, provides, contributes = _ask()
    try:
        told = (summary or f"The plugin {name}").strip().rstrip(".")  # which the templates add
        wish = Wish(name=name, summary=told, provides=provides, contributes=tuple(dict.fromkeys(contributes)))
        files = write(wish, folder)
    except Unwritable as error:
        raise click.ClickException(str(error)) from error
    for file in files:
        click.echo(file)
    click.echo(
        f"\nNext: cd {shlex.quote(str(folder / wish.distribution))} && pip install -e '.[test]' && pytest\n"
        f"Then read its README.md, and `lyceum plugins check {name}`.",
        err=True,
    )


def _ask() -> tuple[str, str | None, tuple[str, ...]]:
    summary = click.prompt("What is it for, in a sentence")
    choices = [NOTHING, *(one.name for one in REPLACEABLE)]
    provides = click.prompt("Which module does it replace", type=click.Choice(choices), default=NOTHING)
    contributes = tuple(
        one.name for one in CONTRIBUTED if click.confirm(f"Does it have a {one.name}, which {one.summary}?")
    )
    return summary, None if provides == NOTHING else provides, contributes
