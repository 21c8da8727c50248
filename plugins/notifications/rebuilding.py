"""Rebuilding: names and addresses are asked again of those who have them, while everybody goes on."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.auth import AUTH
from kernel.contracts.users import USERS
from kernel.database import Command, Query
from plugins.notifications.names import Names
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import contacts, notices

BATCH: Final = 200  # rows
_FIRST: Final = UUID(int=0)


class Contact(msgspec.Struct, frozen=True):
    """How somebody is reached."""

    user_id: UUID
    email: str
    display_name: str


class Worded(msgspec.Struct, frozen=True):
    """What a notice says."""

    id: UUID
    facts: dict[str, str | int]


class Rebuilt(msgspec.Struct, frozen=True):
    """What a rebuild came to."""

    people: int
    notices: int
    changed: int


CONTACTS: Final = Query(
    sa.select(contacts.c.user_id, contacts.c.email, contacts.c.display_name)
    .where(contacts.c.user_id > bindparam("after"))
    .order_by(contacts.c.user_id)
    .limit(BATCH),
    Contact,
)
#: Not where it changed meanwhile: that came from an event, which is newer than what was asked.
CORRECT: Final = Command(
    sa.update(contacts)
    .where(
        contacts.c.user_id == bindparam("person"),
        contacts.c.email == bindparam("old_email"),
        contacts.c.display_name == bindparam("old_name"),
    )
    .values(email=bindparam("new_email"), display_name=bindparam("new_name"))
)
WORDED: Final = Query(
    sa.select(notices.c.id, notices.c.facts)
    .where(notices.c.id > bindparam("after"), notices.c.told_at.is_not(None))
    .order_by(notices.c.id)
    .limit(BATCH),
    Worded,
)
#: Not where the author was erased meanwhile.
REWORD: Final = Command(
    sa.update(notices)
    .where(notices.c.id == bindparam("of_id"), notices.c.author.is_not_distinct_from(bindparam("by", type_=sa.Uuid())))
    .values(facts=bindparam("new_facts"))
)


class Rebuilding:
    """Makes the read model again from its sources."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._ctx = ctx
        self._names = Names(ctx)

    async def rebuild(self) -> Rebuilt:
        """Ask anew for the address and name of everybody, and for the names that notices mention."""
        people, corrected = await self._people()
        told, reworded = await self._notices()
        return Rebuilt(people, told, corrected + reworded)

    async def _people(self) -> tuple[int, int]:
        seen, changed, after = 0, 0, _FIRST
        while found := await self._ctx.db.all(CONTACTS, after=after):
            after, seen = found[-1].user_id, seen + len(found)
            rows = await self._corrections(found)
            changed += len(rows)
            await self._ctx.db.run_many(CORRECT, rows)
        return seen, changed

    async def _corrections(self, found: list[Contact]) -> list[dict[str, Any]]:
        auth, users = self._ctx.services.find(AUTH), self._ctx.services.find(USERS)
        people = await users.people([one.user_id for one in found]) if users is not None else {}
        asked = [auth.account(one.user_id) for one in found] if auth is not None else []
        accounts = {account.id: account for account in await asyncio.gather(*asked) if account is not None}
        rows = []
        for one in found:
            account = accounts.get(one.user_id)
            email = one.email if account is None else account.email
            name = people[one.user_id].display_name if one.user_id in people else one.display_name
            if (email, name) != (one.email, one.display_name):
                old = {"old_email": one.email, "old_name": one.display_name}
                rows.append({"person": one.user_id, **old, "new_email": email, "new_name": name})
        return rows

    async def _notices(self) -> tuple[int, int]:
        seen, changed, after = 0, 0, _FIRST
        while found := await self._ctx.db.all(WORDED, after=after):
            after, seen = found[-1].id, seen + len(found)
            facts = await self._names.name_again([one.facts for one in found])
            rows = [
                {"of_id": one.id, "new_facts": dict(new), "by": _author(new)}
                for one, new in zip(found, facts, strict=True)
                if new != one.facts
            ]
            changed += len(rows)
            await self._ctx.db.run_many(REWORD, rows)
        return seen, changed


def _author(facts: Any) -> UUID | None:
    return UUID(str(facts["author_id"])) if facts.get("author_id") else None
