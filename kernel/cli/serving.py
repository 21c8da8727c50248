"""`lyceum up | serve | migrate | openapi`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from kernel import errors
from kernel.cli.console import Console

if TYPE_CHECKING:
    from kernel.lifecycle import Platform


@click.command()
@click.pass_obj
def up(console: Console) -> None:
    """Migrate, serve in this process, and say where to go."""
    from kernel.cli import server
    from kernel.cli.welcome import welcome

    platform = console.boot(serving=True)
    if platform.config.server.workers > 1:
        raise errors.InvalidSettings("`lyceum up` is one process; run `lyceum migrate` and `lyceum serve`")

    async def ready(port: int) -> None:
        for line in welcome(platform, port):
            console.say(line)

    async def run() -> None:
        await _migrate(console, platform)
        await server.serve(platform, ready)

    server.run(run())


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), metavar="N", help="Serve in N processes behind one socket.")
@click.pass_obj
def serve(console: Console, workers: int | None) -> None:
    """Serve; `lyceum migrate` comes first. SIGTERM stops gracefully; with several workers SIGHUP reloads."""
    overrides = {"server": {"workers": workers}} if workers else {}
    platform = console.boot(overrides, serving=True)
    if platform.config.server.workers > 1:
        from kernel.cli.workers import Workers

        _refuse_sqlite(platform)
        asyncio.run(_try_start(platform))
        Workers(platform.config, lambda: console.boot(overrides, serving=True)).serve()
    else:
        from kernel.cli import server
        from kernel.sections import authority

        async def ready(port: int) -> None:
            url = f"http://{authority(platform.config.server.host, port)}"
            platform.log.info("serving", action="serve", url=url)

        server.run(server.serve(platform, ready))


@click.command()
@click.pass_obj
def migrate(console: Console) -> None:
    """Bring the database of every plugin up to date."""
    steps = asyncio.run(_migrate(console, console.boot()))
    console.table(("Plugin", "Revision"), steps, empty="every database is up to date")


@click.command()
@click.pass_obj
def openapi(console: Console) -> None:
    """Print the OpenAPI document of exactly the plugins that are on."""
    from kernel import front
    from kernel.http.application import describe

    platform = console.boot()
    console.document(describe(front.mounted(platform), platform.config.deployment()))


async def _migrate(console: Console, platform: Platform) -> list[tuple[str, str]]:
    steps: list[tuple[str, str]] = []
    with console.progress("Migrating") as show:

        def on_step(plugin: str, revision: str) -> None:
            steps.append((plugin, revision))
            show(f"{plugin} {revision}")

        await platform.migrate(on_step)
    return steps


async def _try_start(platform: Platform) -> None:
    """Start and stop once, so that what keeps all workers from starting is told once, and readably."""
    async with platform.running(background=False):
        pass


def _refuse_sqlite(platform: Platform) -> None:
    on_sqlite = [
        member.name
        for member in platform.states()
        if member.running and member.database and member.database.url.startswith("sqlite:")
    ]
    if on_sqlite:
        raise errors.InvalidSettings(
            f"the databases of {', '.join(on_sqlite)} are SQLite files, which one process alone may serve; "
            "set [database] url to a PostgreSQL database, or 1 worker"
        )
