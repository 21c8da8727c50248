"""`lyceum search …`: the index on the command line."""

from __future__ import annotations

from typing import Final

import click
import msgspec

from kernel import Console, Context
from plugins.search.indexing import Indexing
from plugins.search.settings import SearchSettings


class Rebuilt(msgspec.Struct, frozen=True):
    """What a rebuild came to."""

    sources: dict[str, int]  #: kind → subjects that the source has
    indexed: int  #: subjects that this process asked for; running ones take part


@click.command("rebuild")
@click.option("--kind", help="Only subjects of this kind, such as 'course'.")
@click.pass_obj
def rebuild(console: Console, kind: str | None) -> None:
    """Make the index again from its sources, while everybody goes on searching."""

    async def work(ctx: Context[SearchSettings]) -> Rebuilt:
        indexing = ctx.own(Indexing)
        chosen = {name: source for name, source in indexing.sources().items() if kind in (None, name)}
        if not chosen:
            raise click.ClickException(
                f"nobody tells what there is of kind {kind!r}; kinds: {', '.join(indexing.sources()) or 'none'}"
            )
        told = {name: await indexing.mark_everything(name, source) for name, source in chosen.items()}
        return Rebuilt(told, await indexing.index())

    with console.progress("Rebuilding the index"):
        done = console.run("search", work)
    if console.json:
        console.document(done)
    else:
        told = ", ".join(f"{count} of kind {name}" for name, count in done.sources.items())
        console.say(f"Rebuilt from {told}.")


COMMANDS: Final = (rebuild,)
