"""The inboxes of a deployment, into which tests put events: made-up ones, and handled ones once more.

What lies there is handled as always: by the plugin's worker, in one transaction with the mark that it is done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.database import Command, Database, Query, Timestamp
from kernel.database.tables import inbox
from kernel.events.event import AnyEvent, Event, EventHandler
from kernel.events.receiver import RECEIVE
from kernel.ids import new_id
from kernel.lifecycle import Platform


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way to one handler of one plugin."""

    plugin: str
    handler: str
    event_id: UUID
    source: str
    type: str
    key: str
    data: bytes

    @property
    def line(self) -> tuple[str, str, str, str]:
        """In which it keeps its place: what one source tells one handler under one key."""
        return self.plugin, self.handler, self.source, self.key


class Refusal(msgspec.Struct, frozen=True):
    """An event that a handler did not handle, though everything that is due was handled."""

    handler: str
    type: str
    last_error: str | None  #: None where it waits behind one of the same source and key


_DONE: Final[sa.ColumnElement[str]] = sa.literal_column("'done'")
_COLUMNS: Final = tuple(inbox.c[name] for name in Telling.__struct_fields__ if name != "plugin")

HANDLED: Final = Query(
    sa.select(bindparam("of_plugin", type_=sa.Text).label("plugin"), *_COLUMNS)
    .where(inbox.c.state == _DONE)
    .order_by(inbox.c.seq),
    Telling,
)
AGAIN: Final = Command(
    sa.update(inbox)
    .where(
        inbox.c.handler == bindparam("of_handler"), inbox.c.event_id == bindparam("of_event"), inbox.c.state == _DONE
    )
    .values(state="waiting", attempts=0, handled_at=None, next_at=bindparam("now", type_=Timestamp))
)
REFUSALS: Final = Query(
    sa.select(inbox.c.handler, inbox.c.type, inbox.c.last_error).where(
        inbox.c.event_id.in_(bindparam("of_events", expanding=True)), inbox.c.state != _DONE
    ),
    Refusal,
)


class Inboxes:
    """What the plugins of one running platform are told."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def handlers(self) -> Iterator[tuple[str, EventHandler]]:
        """Yield each plugin and handler in the order of their start and declaration."""
        for member in self._platform.assembly.order():
            if member.running is not None:
                yield from ((member.name, one) for one in member.running.declarations.event_handlers)

    def tellings(self, event: Event, source: str) -> list[Telling]:
        """Return how *source* tells *event* to all who want it."""
        id_, kind = new_id(), event.type if isinstance(event, AnyEvent) else event.name
        wanting = [(plugin, handler) for plugin, handler in self.handlers() if handler.wants(kind)]
        return [telling(event, plugin, handler.name, event_id=id_, source=source) for plugin, handler in wanting]

    async def handled(self) -> list[Telling]:
        """Return all that has been handled, plugin by plugin in the order in which it came."""
        return [one for name in self._plugins() for one in await self._db(name).all(HANDLED, of_plugin=name)]

    async def put(self, one: Telling) -> None:
        """Let the event wait for its handler, again if it was handled before."""
        db, now = self._db(one.plugin), self._platform.clock.now()
        if await db.run(AGAIN, of_handler=one.handler, of_event=one.event_id, now=now):
            return
        values = {f"in_{name}": getattr(one, name) for name in Telling.__struct_fields__ if name != "plugin"}
        origin = {"in_correlation_id": one.event_id, "in_causation_id": None, "in_created_at": now}
        await db.run(RECEIVE, **values, **origin, in_next_at=now)

    async def refusals(self, ids: Collection[UUID]) -> list[str]:
        """Return which of the events *ids* were refused, by whom and why, for people; ask once all is settled."""
        return [
            f"the handler {one.handler} of {name} refused {one.type}: {one.last_error or 'what came before it waits'}"
            for name in self._plugins()
            for one in await self._db(name).all(REFUSALS, of_events=sorted(ids))
        ]

    def _plugins(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(plugin for plugin, _ in self.handlers()))

    def _db(self, plugin: str) -> Database:
        return self._platform.assembly.members[plugin].equipped().database


def telling(event: Event, plugin: str, handler: str, *, event_id: UUID, source: str) -> Telling:
    """Return how *source* tells *event* to one handler."""
    whole = isinstance(event, AnyEvent)
    return Telling(
        plugin=plugin,
        handler=handler,
        event_id=event_id,
        source=source,
        type=event.type if isinstance(event, AnyEvent) else event.name,
        key=source if whole else str(getattr(event, event.key)),
        data=event.data if isinstance(event, AnyEvent) else msgspec.json.encode(event),
    )
