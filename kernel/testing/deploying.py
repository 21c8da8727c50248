"""The callable behind the fixture `deploy`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from kernel.testing.choices import Choice, PluginClass, Tables
from kernel.testing.clock import MovableClock
from kernel.testing.deployment import Deployment
from kernel.testing.ends import End
from kernel.testing.mailbox import Mailbox


class Deploy:
    """Starts deployments; leaving it stops them and drops their databases."""

    def __init__(self, end: End, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.end = end
        self._deployments: list[Deployment] = []

    async def __call__(
        self,
        *names: str,
        plugins: Sequence[PluginClass] = (),
        settings: Tables | None = None,
        sections: Tables | None = None,
    ) -> Deployment:
        """Start a deployment with the installed plugins *names* and the classes *plugins*, on a new database.

        What they require and nobody of them provides is taken from memory, where `kernel.testing.fakes` has a fake.
        *settings* are the plugins' settings by plugin; *sections* are further sections of the configuration.

        Raises:
            errors.BootError: as on the command line.
        """
        choice = Choice(names=names, plugins=tuple(plugins), settings=settings, sections=sections)
        deployment = Deployment(choice, end=self.end, clock=MovableClock(), mailbox=self.mailbox)
        self._deployments.append(deployment)
        await deployment.start()
        return deployment

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        for deployment in reversed(self._deployments):
            await deployment.close()
        await self.end.close()
