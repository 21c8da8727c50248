"""Deliveries: events as one handler is given them, and which of them it says need no handling."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from kernel.database import Session
from kernel.events.event import AnyEvent, Delivery, Event, EventHandler
from kernel.events.settings import EventSettings


class Undeliverable(Exception):
    """No further attempt can help."""


class Told(Protocol):
    """An event as a log or an inbox holds it."""

    @property
    def id(self) -> UUID: ...
    @property
    def type(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def data(self) -> bytes: ...
    @property
    def correlation_id(self) -> UUID: ...
    @property
    def causation_id(self) -> UUID | None: ...
    @property
    def created_at(self) -> datetime: ...


class Deliveries:
    """Makes the deliveries of one handler."""

    def __init__(self, handler: EventHandler, settings: EventSettings) -> None:
        self._handler = handler
        self._timeout = settings.handler_timeout
        self._decoder = msgspec.json.Decoder(handler.event)

    def make(self, told: Told, source: str) -> Delivery[Event]:
        """Return the delivery of what *source* has told.

        Raises:
            Undeliverable: it is not the handler's event.
        """
        return Delivery(
            id=told.id,
            event=self._decode(told),
            source=source,
            key=told.key,
            time=told.created_at,
            correlation_id=told.correlation_id,
            causation_id=told.causation_id,
        )

    async def settled(self, session: Session, deliveries: Sequence[Delivery[Event]]) -> Collection[UUID]:
        """Return the ids of those that need no handling any more, by the handler's own say."""
        if self._handler.settled is None or not deliveries:
            return ()
        async with asyncio.timeout(self._timeout):
            return await self._handler.settled(session, deliveries)

    def _decode(self, told: Told) -> Event:
        if self._handler.event is AnyEvent:
            return AnyEvent(type=told.type, data=told.data)
        wanted = self._handler.wanted
        if told.type != wanted:
            raise Undeliverable(f"the event is a {told.type}, the handler {self._handler.name} takes {wanted}")
        try:
            return self._decoder.decode(told.data)
        except msgspec.MsgspecError as error:
            raise Undeliverable(f"the data is not a {wanted}: {error}") from error
