"""Events: typed facts in the past tense, and the envelope in which they travel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from uuid import UUID

import msgspec

from kernel.redaction import Personal

if TYPE_CHECKING:
    from kernel.database import Session


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that a plugin tells the others, delivered at least once after its transaction has committed.

    A subclass sets `name`, the wire name with its version such as `courses.lesson_added.v1`, and `key`, the
    name of the field by which order is kept. Fields may be added with a default; every other change is a new
    class with the next version beside the old one.

    `personal` says what of people the event holds: field that names somebody → field that tells of them → what takes
    its place once they are erased. The event may be handled after that, so handlers have to put up with it.

    `concerns` names the field whose person would want to be told of the event; empty where there is none.
    """

    name: ClassVar[str]
    key: ClassVar[str]
    personal: ClassVar[Personal] = {}
    concerns: ClassVar[str] = ""


class AnyEvent(Event, frozen=True, kw_only=True):
    """An event of whichever type, as it travels: what a handler of `on_every` is given. Nobody publishes one."""

    type: str  #: the wire name
    data: bytes  #: the fields, as JSON


E = TypeVar("E", bound=Event)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery(Generic[E]):
    """One event on its way to one handler."""

    id: UUID  #: the same for every delivery of the event: the key for idempotent effects outside the database
    event: E
    source: str  #: the plugin that published it
    key: str  #: events of one source with the same key arrive in the order of their commits
    time: datetime  #: when it was published, UTC
    correlation_id: UUID  #: the id of the request or event with which the story began
    causation_id: UUID | None  #: the id of the event that led to this one


#: Handles one delivery inside a transaction of the handler's own database. What it does with *session* commits
#: together with the mark that the event is handled; raise to have it retried.
Handler = Callable[["Session", Delivery[E]], Awaitable[None]]


#: Returns the ids of those deliveries that need no handling any more; asked once for all that wait together.
Settled = Callable[["Session", Sequence[Delivery[E]]], Awaitable[Collection[UUID]]]


@dataclass(frozen=True, kw_only=True)
class EventHandler:
    """Declares that *handler* wants every event of type *event*; made by `on` and `on_every`, which check the types."""

    event: type[Event]
    handler: Callable[[Session, Delivery[Any]], Awaitable[None]]
    name: str
    settled: Callable[[Session, Sequence[Delivery[Any]]], Awaitable[Collection[UUID]]] | None = None

    @property
    def wanted(self) -> str:
        """Return the type of event that it wants, for people to read."""
        return "every event" if self.event is AnyEvent else self.event.name

    def wants(self, kind: str) -> bool:
        """Return whether it wants events whose wire name is *kind*."""
        return self.event is AnyEvent or self.event.name == kind


def on(event: type[E], handler: Handler[E], *, name: str, settled: Settled[E] | None = None) -> EventHandler:
    """Declare that *handler* wants every event of type *event*, but for those that *settled* returns.

    *name* is stable for ever: it is how the inbox knows what was handled. It is unique within the plugin. *settled*
    spares a handler that seldom has anything to do the queries of finding that out for each event by itself.
    """
    return EventHandler(event=event, handler=handler, name=name, settled=settled)


def on_every(handler: Handler[AnyEvent], *, name: str, settled: Settled[AnyEvent] | None = None) -> EventHandler:
    """Declare that *handler* wants every event of every plugin that is on; see `on`.

    What it is given is not decoded. For those who carry events elsewhere; who wants to know of something names it.
    """
    return EventHandler(event=AnyEvent, handler=handler, name=name, settled=settled)
