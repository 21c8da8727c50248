"""The mailbox: mails that were kept instead of sent, opened for those who run the deployment."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.mail import Message
from kernel.database import Query
from plugins.mail.settings import MailSettings
from plugins.mail.tables import KEPT, mails


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A mail of the mailbox."""

    id: UUID
    time: datetime
    to: str
    subject: str
    text: str
    html: str  #: empty without such a part
    unsubscribe: str


class _Row(msgspec.Struct, frozen=True):
    id: UUID
    sealed: str
    created_at: datetime


_COLUMNS: Final = (mails.c.id, mails.c.sealed, mails.c.created_at)

NEWEST: Final = Query(
    sa.select(*_COLUMNS).where(mails.c.state == KEPT).order_by(mails.c.id.desc()).limit(bindparam("limit")), _Row
)
ONE: Final = Query(sa.select(*_COLUMNS).where(mails.c.id == bindparam("mail"), mails.c.state == KEPT), _Row)


class Mailbox:
    """Reads what `delivery = "mailbox"` has kept."""

    def __init__(self, ctx: Context[MailSettings]) -> None:
        self._db = ctx.db
        self._secrets = ctx.secrets

    async def newest(self, limit: int) -> list[Kept]:
        """Return up to *limit* mails, the newest first."""
        return [self._open(row) for row in await self._db.all(NEWEST, limit=limit)]

    async def find(self, mail_id: UUID) -> Kept | None:
        """Return the mail, None when there is none (any more)."""
        row = await self._db.first(ONE, mail=mail_id)
        return self._open(row) if row else None

    def _open(self, row: _Row) -> Kept:
        message = msgspec.json.decode(self._secrets.unseal(row.sealed), type=Message)
        return Kept(
            id=row.id,
            time=row.created_at,
            to=message.to,
            subject=message.subject,
            text=message.text,
            html=message.html,
            unsubscribe=message.unsubscribe,
        )
