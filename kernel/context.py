"""What the kernel gives to one plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, cast
from uuid import UUID

from redis.asyncio import Redis
from structlog.typing import FilteringBoundLogger
from typing_extensions import TypeVar as TypeVarWithDefault

from kernel.clock import Clock
from kernel.database import Database, Session
from kernel.deployment import Deployment
from kernel.events.event import Event
from kernel.secrets import Secrets
from kernel.services import Services
from kernel.settings import NoSettings, Settings

S = TypeVarWithDefault("S", bound=Settings, default=NoSettings, covariant=True)
T = TypeVar("T")


class Events(Protocol):
    """How a plugin tells the others."""

    async def publish(self, session: Session, event: Event) -> UUID:
        """Write *event* to the outbox in the transaction of *session*; return its id.

        It is delivered after the commit, at least once, and never if the transaction rolls back.

        Raises:
            errors.InvalidDeclaration: the manifest does not list the event under `publishes`.
        """
        ...

    async def publish_all(self, session: Session, events: Sequence[Event]) -> None:
        """Write *events* to the outbox in one go; otherwise as `publish`."""
        ...

    def row(self, event: Event, prefix: str = "event_") -> dict[str, object]:
        """Return the values of *event*'s outbox row, named as `outbox_follow(prefix)` binds them.

        For a `Guarded` that ends with `outbox_follow()`, so that state and event cost one round trip. Call
        `announce()` after it has committed.
        """
        ...

    def announce(self) -> None:
        """Wake the relay: something was committed to the outbox without `publish`."""
        ...

    async def broadcast(self, topic: str, message: bytes) -> None:
        """Tell every process now, at most once: for what may be lost."""
        ...

    def on_broadcast(self, topic: str, listener: Callable[[bytes], None]) -> None:
        """Call *listener* in this process with each message of *topic*, of whichever plugin."""
        ...


class Tasks(Protocol):
    """Background work that belongs to one plugin."""

    def start(self, work: Coroutine[object, object, None], *, name: str) -> asyncio.Task[None]:
        """Run *work* until it ends or the plugin stops; a failure is logged with the plugin's name."""
        ...

    def every(
        self,
        seconds: float,
        work: Callable[[], Awaitable[object]],
        *,
        name: str,
        sooner: asyncio.Event | None = None,
    ) -> None:
        """Call *work* again and again, *seconds* after it last ended; a failure is logged and the next call comes.

        Setting *sooner* brings the next call forward; it is cleared before the call, so that nothing set is missed.
        """
        ...


class Gauges(Protocol):
    """Numbers of one plugin that operators see at `/metrics`."""

    def set(self, name: str, value: float, meaning: str) -> None:
        """Show *value* as `lyceum_<name>`, with the plugin as a label, from now on; *meaning* is for people.

        Raises:
            ValueError: the name is not made of small letters, digits and underscores.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Context(Generic[S]):
    """Everything one plugin may touch; each part bears the plugin's name."""

    name: str
    settings: S
    db: Database
    events: Events
    services: Services
    redis: Redis | None  #: None in a deployment of one process without Redis
    log: FilteringBoundLogger
    clock: Clock
    tasks: Tasks
    gauges: Gauges
    secrets: Secrets
    deployment: Deployment
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)  #: role → permissions, of all enabled plugins
    published: Mapping[str, type[Event]] = field(default_factory=dict)  #: wire name → event, of all enabled plugins
    _owned: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    def own(self, make: Callable[[Context[S]], T]) -> T:
        """Return what *make* (a class, usually) makes of this context: the same object at every call.

        So that a plugin's routes, services and lifespan share one object, while the plugin itself holds no state.
        """
        if make not in self._owned:
            self._owned[make] = make(self)
        return cast(T, self._owned[make])
