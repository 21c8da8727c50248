"""Running a plugin's commands against a deployment that runs already."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from click.testing import CliRunner, Result

from kernel import errors
from kernel.cli.console import Console
from kernel.context import Context
from kernel.lifecycle import Platform

T = TypeVar("T")


class LiveConsole(Console):
    """The console of a command whose platform runs in another thread."""

    def __init__(self, platform: Platform, loop: asyncio.AbstractEventLoop, *, json: bool) -> None:
        super().__init__(json=json)
        self._platform = platform
        self._loop = loop

    def run(self, plugin: str, work: Callable[[Context[Any]], Awaitable[T]]) -> T:
        async def within() -> T:
            return await work(self._platform.context(plugin))

        return asyncio.run_coroutine_threadsafe(within(), self._loop).result()


async def run_command(platform: Platform, plugin: str, arguments: tuple[str, ...], *, json: bool) -> Result:
    """Run `lyceum <plugin> <arguments>`."""
    group = click.Group(plugin, commands=platform.assembly.hooks.many(plugin, "commands", click.Command))
    console = LiveConsole(platform, asyncio.get_running_loop(), json=json)
    result = await asyncio.to_thread(CliRunner().invoke, group, list(arguments), obj=console)
    if result.exception is not None and not isinstance(result.exception, SystemExit | errors.LyceumError):
        raise result.exception
    return result
