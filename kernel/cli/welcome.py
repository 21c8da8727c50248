"""What `lyceum up` does once it serves: the example, if there is nothing yet, and a few lines on where to go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import aiohttp
import click

from kernel import errors
from kernel.cli import extensions
from kernel.cli.console import Console
from kernel.cli.demo import CONTENT, NEEDS, Demo

if TYPE_CHECKING:
    from kernel.lifecycle import Platform


@dataclass(frozen=True)
class Welcome:
    """Called with the port on which *platform* serves."""

    console: Console
    platform: Platform
    demo: bool

    async def __call__(self, port: int) -> None:
        host = self.platform.config.server.host
        url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104 - only compared
        codes = await self._seed(url) if self.demo and self._can_seed() else ()
        for line in self._lines(url, codes):
            self.console.say(line)

    def _can_seed(self) -> bool:
        on = {capability.name for capability in self.platform.assembly.resolution.providers}
        return self.platform.config.server.development and on.issuperset(NEEDS)

    async def _seed(self, url: str) -> tuple[str, ...]:
        vouchers = any(one.name == "payments" for one in self.platform.assembly.resolution.providers)
        async with aiohttp.ClientSession(url) as http:
            demo = Demo(http, self._make_admin)
            try:
                if await demo.is_wanted():
                    with self.console.progress("Making an example") as show:
                        return await demo.make(vouchers=vouchers, on_step=show)
            except (errors.LyceumError, aiohttp.ClientError, LookupError) as error:
                click.echo(f"lyceum: the example could not be made: {error!r}", err=True)
        return ()

    async def _make_admin(self, email: str) -> None:
        """Do what `lyceum auth create-admin` does, in a thread: a command has a loop of its own."""
        group = extensions.find(self.console, "auth")
        if group is None:
            raise errors.UnknownPlugin("no enabled plugin has the command `create-admin`", plugin="auth")
        quiet = replace(self.console, quiet=True)
        arguments = ["create-admin", email]
        await asyncio.to_thread(group.main, args=arguments, obj=quiet, standalone_mode=False)

    def _lines(self, url: str, codes: tuple[str, ...]) -> Iterator[str]:
        yield f"\n{self.platform.config.server.name} is at {url}"
        yield f"  API      {url}/api/docs"
        if self.platform.config.server.development:
            yield f"  Mailbox  {url}/-/mailbox"
            yield "To sign in, ask for a code and read it in the mailbox:"
            yield f'  curl {url}/api/v1/auth/codes --json \'{{"email": "{CONTENT["admin"]}"}}\''
        if codes:
            yield f"The example has the administrator {CONTENT['admin']} and the instructor {CONTENT['instructor']}."
            yield f"Vouchers of {CONTENT['voucher_amount'] / 100:.2f} each, shown only now:"
            yield from (f"  {code}" for code in codes)
        yield "Stop with Ctrl-C."
