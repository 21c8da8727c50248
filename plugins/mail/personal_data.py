"""The mails to a person: those that are still here to read, and when the others left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.mail import Message, recipient_of
from kernel.contracts.personal_data import Document, Receipt, Subject, document
from kernel.database import Command, Query
from plugins.mail.settings import MailSettings
from plugins.mail.tables import mails


class _Row(msgspec.Struct, frozen=True):
    id: UUID
    state: str
    sealed: str | None
    created_at: datetime
    last_error: str | None


_OF_PERSON: Final = mails.c.recipient == bindparam("of_recipient")
OF_PERSON: Final = Query(
    sa.select(*(mails.c[name] for name in _Row.__struct_fields__))
    .where(_OF_PERSON, mails.c.id > bindparam("after"))
    .order_by(mails.c.id)
    .limit(100),
    _Row,
)
ERASE: Final = Command(sa.delete(mails).where(_OF_PERSON))

RECEIPT: Final = Receipt(erased=("mails to you that waited or were kept, and when the others left",))


class MailPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[MailSettings]) -> None:
        self._db = ctx.db
        self._secrets = ctx.secrets

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        recipient, after, number = recipient_of(self._secrets, subject.email), UUID(int=0), 0
        while rows := await self._db.all(OF_PERSON, of_recipient=recipient, after=after):
            after, number = rows[-1].id, number + 1
            yield document(f"mails-{number}.json", [self._shown(row) for row in rows])

    async def erase(self, subject: Subject) -> Receipt:
        if not subject.email:  # nothing here is known by a number
            return Receipt()
        await self._db.run(ERASE, of_recipient=recipient_of(self._secrets, subject.email))
        return RECEIPT

    def _shown(self, row: _Row) -> dict[str, object]:
        told = {"state": row.state, "time": row.created_at, "error": row.last_error}
        if row.sealed is None:
            return told
        message = msgspec.json.decode(self._secrets.unseal(row.sealed), type=Message)
        return told | {"subject": message.subject, "text": message.text}
