"""The events of a deployment under test: what was published, and deliveries that come twice or in another order."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID

import msgspec

from kernel.events.event import Event
from kernel.events.outbox import Entry, Log
from kernel.testing.inboxes import Inboxes, Telling

if TYPE_CHECKING:
    from kernel.testing.deployment import Deployment

E = TypeVar("E", bound=Event)

SOURCE: Final = "test"  # of events that a test makes up
MOST_TIMES: Final = 3  # that a shuffled event comes


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """An event as a plugin told it."""

    id: UUID
    source: str  #: the plugin
    event: Event


class Events:
    """All events of one deployment; they are recorded where the plugins themselves record them, in the outboxes."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    async def published(self) -> list[Published]:
        """Return every event of every plugin, the oldest first, once all that is due has been handled."""
        await self._deployment.settle()
        logs = [Log(one.name, one.equipped().database) for one in self._deployment.platform.assembly.order()]
        told = [(log.plugin, entry) for log in logs for entry in await _entries(log)]
        told.sort(key=lambda one: (one[1].created_at, one[1].id))
        kinds = self._deployment.platform.assembly.published()
        return [
            Published(id=entry.id, source=plugin, event=msgspec.json.decode(entry.data, type=kinds[entry.type]))
            for plugin, entry in told
        ]

    async def of(self, kind: type[E]) -> list[E]:
        """Return the published events of one type, the oldest first."""
        return [one.event for one in await self.published() if isinstance(one.event, kind)]

    async def deliver(self, *events: Event, source: str = SOURCE) -> None:
        """Deliver made-up *events*, in this order, to every handler that wants them.

        Raises:
            AssertionError: a handler refused one; the message says which, and why.
        """
        await self._deliver([one for event in events for one in self._inboxes.tellings(event, source)])

    async def redeliver(self, *kinds: type[Event]) -> int:
        """Deliver once more what was handled, of these *kinds* or all; return to how many handlings it came.

        Raises:
            AssertionError: a handler refused an event that it had handled before.
        """
        tellings = await self._handled(kinds)
        await self._deliver(tellings)
        return len(tellings)

    async def shuffled(self, seed: int, *events: Event, source: str = SOURCE) -> int:
        """Deliver made-up *events*, or else once more all that was handled, in another order, and some repeatedly.

        What one source tells a handler under one key keeps its order, as the platform promises; apart from that
        anything goes, and each event comes up to three times. The order follows from *seed*. Returns to how many
        handlings it came.

        Raises:
            AssertionError: a handler refused one.
        """
        made_up = [one for event in events for one in self._inboxes.tellings(event, source)]
        order = shuffle(made_up if events else await self._handled(()), random.Random(seed))
        for one in order:
            await self._deliver([one])
        return len(order)

    @property
    def _inboxes(self) -> Inboxes:
        return Inboxes(self._deployment.platform)

    async def _handled(self, kinds: Sequence[type[Event]]) -> list[Telling]:
        await self._deployment.settle()
        names = {kind.name for kind in kinds}
        return [one for one in await self._inboxes.handled() if not names or one.type in names]

    async def _deliver(self, tellings: Sequence[Telling]) -> None:
        for one in tellings:
            await self._inboxes.put(one)
            await self._deployment.settle()  # events of different keys do not wait for one another
        refusals = await self._inboxes.refusals({one.event_id for one in tellings})
        assert not refusals, "; ".join(refusals)


def shuffle(tellings: Sequence[Telling], chance: random.Random) -> list[Telling]:
    """Return *tellings* in an order by *chance* that keeps each line, each of them one to three times."""
    lines: dict[tuple[str, ...], deque[Telling]] = {}
    for one in tellings:
        lines.setdefault(one.line, deque()).extend([one] * chance.randint(1, MOST_TIMES))
    return list(_drawn(list(lines.values()), chance))


def _drawn(lines: list[deque[Telling]], chance: random.Random) -> Iterator[Telling]:
    while lines:
        line = chance.choice(lines)
        yield line.popleft()
        if not line:
            lines.remove(line)


async def _entries(log: Log) -> list[Entry]:
    found: list[Entry] = []
    while more := await log.after(found[-1].position if found else 0):
        found += more
    return found
