"""What a person told about themselves, and the little of the account that the directory shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.personal_data import Document, Kept, Receipt, Subject, document
from kernel.database import Command, Query
from plugins.users.profiles import DEFAULT_LOCALE, ROLES
from plugins.users.registry import CLEAR_ROLES
from plugins.users.settings import UsersSettings
from plugins.users.tables import profiles


class _Profile(msgspec.Struct, frozen=True):
    """All that is known."""

    id: UUID
    display_name: str
    email_key: str
    locale: str
    time_zone: str
    headline: str
    biography: str
    website: str
    created_at: datetime
    active: bool
    roles: str | None


_PERSON: Final = profiles.c.id == bindparam("person")
PROFILE: Final = Query(
    sa.select(*(profiles.c[name] for name in _Profile.__struct_fields__[:-1]), ROLES).where(_PERSON), _Profile
)
_TEXTS: Final = ("display_name", "name_key", "email_key", "headline", "biography", "website")
#: Counts as a change, so that nothing that was read before is written back.
BLANK: Final = Command(
    sa.update(profiles)
    .where(_PERSON)
    .values(
        {name: sa.literal_column("''") for name in _TEXTS}
        | {"locale": DEFAULT_LOCALE, "time_zone": bindparam("time_zone"), "active": False}
        | {"version": profiles.c.version + 1}
    )
)

RECEIPT: Final = Receipt(
    erased=("your name, address, language, time zone, headline, biography, website and roles",),
    kept=(Kept(what="that there was somebody with your number", why="others' records refer to it"),),
)


class UsersPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[UsersSettings]) -> None:
        self._db = ctx.db
        self._time_zone = ctx.settings.time_zone

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        profile = await self._db.first(PROFILE, person=subject.user_id)
        if profile is not None:
            yield document("profile.json", profile)

    async def erase(self, subject: Subject) -> Receipt:
        async with self._db.transaction() as session:
            await session.run(BLANK, person=subject.user_id, time_zone=self._time_zone)
            await session.run(CLEAR_ROLES, person=subject.user_id)
        return RECEIPT
