"""`lyceum plugins plan --upgrade`: an upgrade tried out before it is made."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from kernel import errors
from kernel.cli.console import Console

if TYPE_CHECKING:
    from kernel.lifecycle import Platform
    from kernel.rehearsal.fetching import Fetched
    from kernel.rehearsal.stage import Performance, Piece
    from kernel.rehearsal.verdicts import Verdict


def rehearse(console: Console, wanted: str) -> list[Verdict]:
    """Return what the upgrade to *wanted*, NAME==VERSION or a path, means for each plugin. Nothing is changed.

    Raises:
        click.ClickException: it can not be tried.
        errors.BootError: the deployment does not boot as it is.
    """
    from kernel.rehearsal.fetching import fetched
    from kernel.rehearsal.portraits import draw
    from kernel.rehearsal.verdicts import judge

    platform = console.boot()
    before = draw(platform)
    with fetched(wanted) as found:
        return judge(before, asyncio.run(_perform(console, platform, found)), found)


async def _perform(console: Console, platform: Platform, found: Fetched) -> Performance:
    from kernel.rehearsal.stage import perform

    async with AsyncExitStack() as copies:
        piece = await _piece(console, platform, found, copies)
        return await asyncio.to_thread(perform, piece, found.folder)


async def _piece(console: Console, platform: Platform, found: Fetched, copies: AsyncExitStack) -> Piece:
    from kernel.lifecycle import target
    from kernel.rehearsal.copies import copied
    from kernel.rehearsal.portraits import heads
    from kernel.rehearsal.stage import Copy, Piece

    on = [member for member in platform.assembly.order() if member.alive]
    behind = set(await platform.behind())
    made = {}
    for member in on:
        if member.name not in found.plugins or member.migrations is None:
            continue
        if member.name in behind:
            raise click.ClickException(
                f"the database of {member.name} is not up to date as it is; run `lyceum migrate` first"
            )
        try:
            copy = await copies.enter_async_context(copied(target(member)))
        except errors.DatabaseError as error:
            raise click.ClickException(f"its data can not be copied: {error}") from error
        made[member.name] = Copy(name=copy.plugin, url=copy.settings.url, revision=",".join(heads(member)))
    files = tuple(map(str, console.files()))  # the other process has the same working folder
    return Piece(config_files=files, safe=console.safe, plugins=tuple(one.name for one in on), copies=made)
