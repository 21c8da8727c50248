"""What waits for other systems or went to them, of a person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, Identifiers, redacted
from kernel.contracts.mail import recipient_of
from kernel.contracts.personal_data import Document, Kept, Receipt, Subject, document
from kernel.database import Command, Query
from lyceum_webhooks.settings import WebhooksSettings
from lyceum_webhooks.tables import deliveries, endpoints, messages
from lyceum_webhooks.targets import without_query

PAGE: Final = 500  # messages
_FIRST: Final = UUID(int=0)


class Message(msgspec.Struct, frozen=True):
    """An event as it is kept here."""

    id: UUID
    type: str
    data: bytes


class Sent(msgspec.Struct, frozen=True):
    """Where an event went, or goes."""

    type: str
    time: datetime
    url: str
    state: str


FOLLOWING: Final = Query(
    sa.select(*(messages.c[name] for name in Message.__struct_fields__))
    .where(messages.c.id > bindparam("after"))
    .order_by(messages.c.id)
    .limit(PAGE),
    Message,
)
SENT: Final = Query(
    sa.select(messages.c.type, messages.c.time, endpoints.c.url, deliveries.c.state)
    .select_from(messages)
    .join(deliveries, deliveries.c.message_id == messages.c.id)
    .join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
    .where(messages.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(messages.c.time),
    Sent,
)
REPLACE: Final = Command(
    sa.update(messages).where(messages.c.id == bindparam("message")).values(data=bindparam("new_data"))
)
#: What receivers answer, and how they fail, may quote what they were told.
FORGET_ANSWERS: Final = Command(
    sa.update(deliveries)
    .where(deliveries.c.message_id.in_(bindparam("ids", expanding=True)))
    .values(excerpt="", error="")
)

_RECEIPT: Final = Receipt(
    erased=("copies of what other systems are told of you",),
    kept=(
        Kept(
            what="what the institution's other systems were told of you",
            why="it is not within this platform any more; ask the institution about those systems",
        ),
    ),
)


class WebhooksPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[WebhooksSettings]) -> None:
        self._ctx = ctx

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        """Say what went where. The events themselves are in the kernel's part of the copy."""
        number = 0
        async for found in self._pages(self._person(subject)):
            number += 1
            sent = await self._ctx.db.all(SENT, ids=[message.id for message in found])
            shown = [msgspec.structs.replace(one, url=without_query(one.url)) for one in sent]
            yield document(f"webhooks-{number}.json", shown)

    async def erase(self, subject: Subject) -> Receipt:
        """Take the person out of what is kept; what waits is still sent, without them."""
        person, told = self._person(subject), False
        async for found in self._pages(person):
            told = True
            rows = [{"message": one.id, "new_data": self._without(one, person)} for one in found]
            async with self._ctx.db.transaction() as session:
                await session.run_many(REPLACE, rows)
                await session.run(FORGET_ANSWERS, ids=[message.id for message in found])
        return _RECEIPT if told else Receipt()

    async def _pages(self, person: Identifiers) -> AsyncIterator[list[Message]]:
        """Yield the messages that hold a value which names *person*, some at a time."""
        needles, after = [value.encode() for value in person.values()], _FIRST
        while read := await self._ctx.db.all(FOLLOWING, after=after):
            after = read[-1].id
            if found := [one for one in read if any(needle in one.data for needle in needles)]:
                yield found

    def _person(self, subject: Subject) -> Identifiers:
        alias = recipient_of(self._ctx.secrets, subject.email) if subject.email else ""
        return Identifiers(user_id=subject.user_id, email=subject.email, alias=alias)

    def _without(self, message: Message, person: Identifiers) -> bytes:
        event = self._ctx.published.get(message.type)
        return redacted(message.data, event.personal if event else {}, person)
