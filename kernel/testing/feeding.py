"""A plugin that publishes events in the place of those who do in earnest, so that a test can tell what happened."""

from __future__ import annotations

from typing import ClassVar, Final

from kernel import Event, Manifest, Plugin
from kernel.testing.choices import PluginClass
from kernel.testing.deployment import Deployment

NAME: Final = "test-feeder"


def feeder(*kinds: type[Event]) -> PluginClass:
    """Return a plugin for `deploy(plugins=…)` that may publish events of *kinds*; `feed` has it do so."""

    class Feeder(Plugin):
        manifest: ClassVar[Manifest] = Manifest(name=NAME, version="1", publishes=kinds)

    return Feeder


async def feed(deployment: Deployment, *events: Event, settle: float = 10.0) -> None:
    """Publish *events* in one transaction and wait, up to *settle* seconds, until whoever is there has handled them."""
    ctx = deployment.platform.context(NAME)
    async with ctx.db.transaction() as session:
        for event in events:
            await ctx.events.publish(session, event)
    await deployment.platform.events.settle(timeout=settle)
