"""Links: which account a provider's subject belongs to."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, new_id
from kernel.database import Command, Query, Session
from lyceum_oidc.settings import OidcSettings
from lyceum_oidc.tables import links

MOST: Final = 100  # links of one person that are shown


class Link(msgspec.Struct, frozen=True):
    """One link."""

    id: UUID
    issuer: str
    subject: str
    created_at: datetime


OWNER: Final = Query(
    sa.select(links.c.user_id).where(links.c.issuer == bindparam("issuer"), links.c.subject == bindparam("subject")),
    UUID,
)
OWN: Final = Query(
    sa.select(*(links.c[name] for name in Link.__struct_fields__))
    .where(links.c.user_id == bindparam("person"))
    .order_by(links.c.id)
    .limit(MOST),
    Link,
)
#: Says whose it is only where it is new: a subject that is somebody's stays theirs.
ADD: Final = Query(
    insert(links)
    .values({column.name: bindparam(column.name) for column in links.c})
    .on_conflict_do_nothing(index_elements=["issuer", "subject"])
    .returning(links.c.id),
    UUID,
)
REMOVE: Final = Query(
    sa.delete(links)
    .where(links.c.id == bindparam("link"), links.c.user_id == bindparam("person"))
    .returning(links.c.issuer),
    str,
)
FORGET: Final = Command(sa.delete(links).where(links.c.user_id == bindparam("person")))


class Links:
    """Reads and writes links."""

    def __init__(self, ctx: Context[OidcSettings]) -> None:
        self._ctx = ctx

    async def owner(self, issuer: str, subject: str) -> UUID | None:
        """Return whose account it is, None for somebody who has not come before."""
        return await self._ctx.db.first(OWNER, issuer=issuer, subject=subject)

    async def add(self, session: Session, issuer: str, subject: str, user_id: UUID) -> bool:
        """Link; return whether that is new."""
        now = self._ctx.clock.now()
        row = {"id": new_id(), "issuer": issuer, "subject": subject, "user_id": user_id, "created_at": now}
        return await session.first(ADD, **row) is not None

    async def of(self, person: UUID) -> list[Link]:
        return await self._ctx.db.all(OWN, person=person)

    async def remove(self, session: Session, person: UUID, link: UUID) -> str | None:
        """Unlink; return the issuer, None where it is no link of *person*."""
        return await session.first(REMOVE, person=person, link=link)
