"""Deployments for tests: booted, migrated and served on a real port within a few tens of milliseconds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from click.testing import Result

from kernel.http import serving
from kernel.ids import new_id
from kernel.lifecycle import Platform
from kernel.testing.choices import Choice, PluginClass, Tables
from kernel.testing.clients import Client
from kernel.testing.clock import MovableClock
from kernel.testing.commands import run_command
from kernel.testing.ends import End, Place
from kernel.testing.events import Events
from kernel.testing.identity import token
from kernel.testing.mailbox import Mailbox
from kernel.testing.people import People


class Deployment:
    """One running Lyceum and the ways to reach it."""

    def __init__(
        self, choice: Choice, *, end: End, clock: MovableClock, mailbox: Mailbox, twin: Deployment | None = None
    ) -> None:
        self.clock = clock
        self.mailbox = mailbox
        self.people = People(self)
        self.events = Events(self)
        self._choice = choice
        self._end = end
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._public_url: str = twin._public_url if twin else self.url
        self._place: Place = twin._place if twin else end.reserve()
        self._filled = twin is not None
        self._twins: list[Deployment] = []
        self._clients: list[Client] = []
        self._stopping = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self.platform: Platform

    async def start(self) -> None:
        """Boot, migrate, start and serve.

        Raises:
            errors.BootError: as on the command line.
        """
        config = self._choice.config(self._place, public_url=self._public_url, smtp_port=self.mailbox.port)
        self.platform = Platform.boot(config, plugins=self._choice.classes(), clock=self.clock)
        if not self._filled:
            await self._end.fill(self._place, (member for member in self.platform.states() if member.alive))
            self._filled = True
        await self.platform.migrate()
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopping.clear()
        # a task of its own: what is opened and closed around the running plugins may not change tasks in between
        self._serving = asyncio.create_task(self._serve(started), name="deployment")
        await asyncio.wait([started, self._serving], return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            serving, self._serving = self._serving, None
            await serving

    async def stop(self) -> None:
        """Stop serving and stop the plugins; the database stays."""
        if self._serving is not None:
            self._stopping.set()
            serving, self._serving = self._serving, None
            await serving

    async def restart(
        self,
        *names: str,
        plugins: Sequence[PluginClass] = (),
        settings: Tables | None = None,
        sections: Tables | None = None,
    ) -> None:
        """Stop, and start again on the same database and address with this choice of plugins."""
        await self.stop()
        self._choice = Choice(names=names, plugins=tuple(plugins), settings=settings, sections=sections)
        self._socket = socket.create_server(("127.0.0.1", int(self.url.rpartition(":")[2])))
        await self.start()

    async def twin(self) -> Deployment:
        """Start a second process of the same deployment: same plugins, same database, an address of its own."""
        twin = Deployment(self._choice, end=self._end, clock=self.clock, mailbox=self.mailbox, twin=self)
        self._twins.append(twin)
        await twin.start()
        return twin

    def client(self, role: str | None = None, *, user: UUID | None = None, token: str | None = None) -> Client:
        """Return a client for a stranger, for a person with *role* (several: `student+admin`), or with *token*.

        A role alone is believed only where the real `auth` is left out; with it, use `sign_in`.
        """
        if role is not None and token is None:
            user = user or new_id()
            token = _token(role, user)
        client = Client(self.url, token=token, user=user)
        self._clients.append(client)
        return client

    async def as_user(self, role: str) -> Client:
        """Return a client for a new person with *role* (several: `student+admin`), also where the real `auth` is on."""
        if "auth" in self._choice.names:
            return await self.sign_in(f"{new_id().hex}@people.test", roles=role.split("+"))
        return self.client(role)

    async def sign_in(self, email: str, *, roles: Sequence[str] = ()) -> Client:
        """Sign in by a code sent to *email*, as a person does; an administrator gives the *roles* first.

        Needs the plugins `auth` and `mail`.
        """
        return await self.people.sign_in(email, roles)

    async def command(self, plugin: str, *arguments: str, json: bool = False) -> Result:
        """Run `lyceum <plugin> <arguments>` against this deployment; the result has `exit_code` and `output`."""
        return await run_command(self.platform, plugin, arguments, json=json)

    async def settle(self) -> None:
        """Return when every event has been handled that is due."""
        await self.platform.events.settle()

    async def close(self) -> None:
        """Stop, and close the clients."""
        for twin in self._twins:
            await twin.close()
        for client in self._clients:
            await client.close()
        await self.stop()
        self._socket.close()

    async def _serve(self, started: asyncio.Future[None]) -> None:
        async with self.platform.running():
            runner = serving.runner(self.platform.app, self.platform.config.http)
            await runner.setup()
            try:
                await web.SockSite(runner, self._socket).start()
                started.set_result(None)
                await self._stopping.wait()
            finally:
                await runner.cleanup()


_token = token
