"""A plugin that tells what a test wants told, in the place of those whose events a provider hears."""

from __future__ import annotations

from typing import ClassVar, Final
from uuid import UUID

from kernel import Event, Manifest, Plugin
from kernel.testing.deployment import Deployment

NAME: Final = "test-teller"


def teller_of(*events: type[Event]) -> type[Plugin]:
    """Return a plugin that publishes *events* when `tell` says so."""

    class Teller(Plugin):
        manifest: ClassVar[Manifest] = Manifest(name=NAME, version="1", publishes=events)

    return Teller


async def tell(deployment: Deployment, *events: Event) -> list[UUID]:
    """Publish *events* together; return their ids once they have been handled."""
    ctx = deployment.platform.context(NAME)
    async with ctx.db.transaction() as session:
        ids = [await ctx.events.publish(session, event) for event in events]
    await deployment.settle()
    return ids
