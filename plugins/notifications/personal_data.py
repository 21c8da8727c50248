"""What notifications know of a person: how to reach them, what they were told, and what they want."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.personal_data import Document, Receipt, Subject, document
from kernel.database import Command, Query
from plugins.notifications.api import TOLD
from plugins.notifications.following import FOLLOWED
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import choices, circulars, contacts, followings, notices, parcels, schedules
from plugins.notifications.wanting import CHOICES, SCHEDULES

PAGE: Final = 1000  # notices
RECEIPT: Final = Receipt(
    erased=(
        "what you were told of, how you were reached, what you wanted to be told of and when, and what you followed",
        "your name and your words in what others were told of",
    ),
)


class Contact(msgspec.Struct, frozen=True):
    """How a person is reached."""

    email: str
    display_name: str
    locale: str
    time_zone: str


_PERSON: Final = bindparam("person", type_=sa.Uuid())
CONTACT: Final = Query(
    sa.select(*(contacts.c[name] for name in Contact.__struct_fields__)).where(contacts.c.user_id == _PERSON), Contact
)
ERASE: Final = tuple(
    Command(sa.delete(table).where(table.c.user_id == _PERSON))
    for table in (notices, parcels, choices, schedules, followings, contacts)
)


class Quoted(msgspec.Struct, frozen=True):
    """A notice of somebody else with the person's name and words."""

    id: UUID
    facts: dict[str, str | int]


QUOTED: Final = Query(sa.select(notices.c.id, notices.c.facts).where(notices.c.author == _PERSON).limit(PAGE), Quoted)
BLANK: Final = Command(
    sa.update(notices).where(notices.c.id == bindparam("of_id")).values(facts=bindparam("new_facts"), author=None)
)
#: What was not told yet is not told any more: every word of it may be the person's.
WITHDRAW: Final = Command(sa.delete(circulars).where(circulars.c.author == _PERSON))


class NotificationsPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._db = ctx.db

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        person = subject.user_id
        if (contact := await self._db.first(CONTACT, person=person)) is not None:
            yield document("contact.json", contact)
        async for name, found in self._wishes(person):
            yield document(name, found)
        before, number = UUID(int=2**128 - 1), 0
        while told := await self._db.all(TOLD, person=person, before=before, limit=PAGE):
            before, number = told[-1].id, number + 1
            yield document(f"notices-{number}.json", told)

    async def erase(self, subject: Subject) -> Receipt:
        async with self._db.transaction() as session:
            for command in (*ERASE, WITHDRAW):
                await session.run(command, person=subject.user_id)
        while quoted := await self._db.all(QUOTED, person=subject.user_id):
            rows = [{"of_id": one.id, "new_facts": _without_words(one.facts)} for one in quoted]
            await self._db.run_many(BLANK, rows)
        return RECEIPT

    async def _wishes(self, person: UUID) -> AsyncIterator[tuple[str, Any]]:
        if chosen := await self._db.all(CHOICES, people=[person]):
            yield "preferences.json", chosen
        if schedule := await self._db.all(SCHEDULES, people=[person]):
            yield "schedule.json", schedule[0]
        after, followed = "", list[str]()
        while topics := await self._db.all(FOLLOWED, person=person, after=after, limit=PAGE):
            after = topics[-1]
            followed += topics
        if followed:
            yield "following.json", followed


def _without_words(facts: Mapping[str, str | int]) -> dict[str, str | int]:
    """Return *facts* without name and words of their author."""
    return {**facts, **{name: "" for name in ("author", "author_id", "excerpt") if name in facts}}
