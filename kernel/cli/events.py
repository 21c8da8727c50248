"""`lyceum events lag | dead | retry | replay`."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import click

from kernel.cli.console import Console


@click.group()
def events() -> None:
    """See what waits for whom, and give it another chance."""


@events.command()
@click.pass_obj
def lag(console: Console) -> None:
    """Show how many events wait: for their relay, and for each handler."""
    found = console.within(lambda platform: platform.events.administration.lag())
    if console.json:
        console.document(found)
        return
    sources = [(one.plugin, one.waiting, one.oldest) for one in found.sources]
    console.table(("Publisher", "Unpublished", "Oldest"), sources, empty="no plugin publishes events")
    handlers = [(one.plugin, one.handler, one.unreceived, one.waiting, one.oldest, one.dead) for one in found.handlers]
    columns = ("Plugin", "Handler", "Not received", "Waiting", "Oldest", "Dead")
    console.table(columns, handlers, empty="no plugin handles events")


@events.command()
@click.argument("plugin", required=False)
@click.pass_obj
def dead(console: Console, plugin: str | None) -> None:
    """Show the events that a handler gave up on, of PLUGIN or of all."""
    found = console.within(lambda platform: platform.events.administration.dead(plugin))
    rows = [(one.event_id, one.plugin, one.handler, one.type, one.attempts, one.last_error) for one in found]
    console.table(("Event", "Plugin", "Handler", "Type", "Attempts", "Last error"), rows, empty="no dead events")


@events.command()
@click.argument("ids", nargs=-1, type=click.UUID, metavar="[EVENT]...")
@click.option("--plugin", help="Only what this plugin gave up on.")
@click.option("--all", "every", is_flag=True, help="Retry every dead event.")
@click.pass_obj
def retry(console: Console, ids: tuple[UUID, ...], plugin: str | None, every: bool) -> None:
    """Give dead events their attempts again: each EVENT, or --all."""
    if bool(ids) == every:
        raise click.UsageError("name the events to retry, or give --all")
    count = console.within(lambda platform: platform.events.administration.retry(plugin, ids))
    _tell(console, count, "to be handled again")


@events.command()
@click.argument("source")
@click.option("--since", type=click.DateTime(), required=True, help="Events published then or later (UTC).")
@click.option("--plugin", help="Only for this plugin's handlers.")
@click.option("--handler", help="Only for the handler of this name.")
@click.pass_obj
def replay(console: Console, source: str, since: datetime, plugin: str | None, handler: str | None) -> None:
    """Have handlers see the kept events of SOURCE once more: for handlers that may."""
    moment = since.replace(tzinfo=UTC)
    count = console.within(
        lambda platform: platform.events.administration.replay(source, moment, plugin=plugin, handler=handler)
    )
    _tell(console, count, "to be handled once more")


def _tell(console: Console, count: int, what: str) -> None:
    if console.json:
        console.document({"events": count})
    else:
        console.say(f"{count} {what}")
