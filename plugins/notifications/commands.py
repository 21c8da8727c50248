"""`lyceum notifications …`: what people were told, on the command line."""

from __future__ import annotations

from typing import Final

import click

from kernel import Console, Context
from plugins.notifications.rebuilding import Rebuilding, Rebuilt
from plugins.notifications.settings import NotificationsSettings


@click.command("rebuild")
@click.pass_obj
def rebuild(console: Console) -> None:
    """Ask anew for the addresses and names that notifications know, while everybody goes on."""

    async def work(ctx: Context[NotificationsSettings]) -> Rebuilt:
        return await ctx.own(Rebuilding).rebuild()

    with console.progress("Rebuilding"):
        done = console.run("notifications", work)
    if console.json:
        console.document(done)
    else:
        console.say(f"Looked at {done.people} people and {done.notices} notices; {done.changed} were not as they are.")


COMMANDS: Final = (rebuild,)
