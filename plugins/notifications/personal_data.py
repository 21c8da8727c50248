"""What notifications know of a person: how to reach them, their notices, and what they do not want."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.personal_data import Document, Receipt, Subject, document
from kernel.database import Command, Query
from plugins.notifications.api import DECLINED, TOLD
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import contacts, declined, notices

PAGE: Final = 1000  # notices
RECEIPT: Final = Receipt(
    erased=(
        "what you were told of, how you were reached, and which mails you did not want",
        "your name and your words in what others were told of",
    ),
)


class Contact(msgspec.Struct, frozen=True):
    """How a person is reached."""

    email: str
    display_name: str
    locale: str


_PERSON: Final = bindparam("person", type_=sa.Uuid())
CONTACT: Final = Query(
    sa.select(*(contacts.c[name] for name in Contact.__struct_fields__)).where(contacts.c.user_id == _PERSON), Contact
)
ERASE: Final = tuple(
    Command(sa.delete(table).where(table.c.user_id == _PERSON)) for table in (notices, declined, contacts)
)


class Quoted(msgspec.Struct, frozen=True):
    """A notice of somebody else with the person's name and words."""

    id: UUID
    facts: dict[str, str | int]


QUOTED: Final = Query(sa.select(notices.c.id, notices.c.facts).where(notices.c.author == _PERSON).limit(PAGE), Quoted)
BLANK: Final = Command(
    sa.update(notices).where(notices.c.id == bindparam("of_id")).values(facts=bindparam("new_facts"), author=None)
)


class NotificationsPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._db = ctx.db

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        person = subject.user_id
        if (contact := await self._db.first(CONTACT, person=person)) is not None:
            yield document("contact.json", contact)
        if without := await self._db.all(DECLINED, person=person):
            yield document("declined.json", sorted(without))
        before, number = UUID(int=2**128 - 1), 0
        while found := await self._db.all(TOLD, person=person, before=before, limit=PAGE):
            before, number = found[-1].id, number + 1
            yield document(f"notices-{number}.json", found)

    async def erase(self, subject: Subject) -> Receipt:
        async with self._db.transaction() as session:
            for command in ERASE:
                await session.run(command, person=subject.user_id)
        while quoted := await self._db.all(QUOTED, person=subject.user_id):
            rows = [{"of_id": one.id, "new_facts": _without_words(one.facts)} for one in quoted]
            await self._db.run_many(BLANK, rows)
        return RECEIPT


def _without_words(facts: Mapping[str, str | int]) -> dict[str, str | int]:
    """Return *facts* without name and words of their author."""
    return {**facts, **{name: "" for name in ("author", "author_id", "excerpt") if name in facts}}
