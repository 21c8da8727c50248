"""A plugin that remembers the events it is told, so that a test can ask what was published."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from kernel import Context, Delivery, Event, EventHandler, Manifest, Plugin, hookimpl, on
from kernel.database import Session

NAME: Final = "test-witness"


class Witnessed:
    """What a witness was told, in this order; each event once, as the inbox promises."""

    def __init__(self, ctx: Context[Any]) -> None:
        self.events: list[Event] = []

    async def remember(self, session: Session, delivery: Delivery[Event]) -> None:
        self.events.append(delivery.event)


def witness_of(*events: type[Event]) -> type[Plugin]:
    """Return a plugin that remembers *events*.

    `deployment.platform.context(witness.NAME).own(witness.Witnessed).events` are those it was told.
    """

    class Witness(Plugin):
        manifest: ClassVar[Manifest] = Manifest(name=NAME, version="1")

        @hookimpl
        def event_handlers(self, ctx: Context) -> Iterable[EventHandler]:
            remember = ctx.own(Witnessed).remember
            return [on(event, remember, name=event.name) for event in events]

    return Witness
