"""The directory: everybody, for administrators, by name."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.database import Query
from plugins.users.profiles import ROLES
from plugins.users.rules import LAST, key
from plugins.users.settings import UsersSettings
from plugins.users.tables import profile_roles, profiles


class Entry(msgspec.Struct, frozen=True):
    """One person of the directory."""

    id: UUID
    display_name: str
    name_key: str
    email_key: str
    active: bool
    created_at: datetime
    roles: str | None


_COLUMNS: Final = (*(profiles.c[name] for name in Entry.__struct_fields__[:-1]), ROLES)
_PLACE: Final = sa.tuple_(profiles.c.name_key, profiles.c.id)


@cache
def listing(*, after: bool, search: bool, role: bool, active: bool) -> Query[Entry]:
    """Return the list by name with the filters that are asked for, each of them on an index."""
    select = sa.select(*_COLUMNS).order_by(profiles.c.name_key, profiles.c.id).limit(bindparam("limit"))
    if after:
        name, person = bindparam("after_name", type_=profiles.c.name_key.type), bindparam("after_id", type_=sa.Uuid())
        select = select.where(sa.tuple_(name, person) < _PLACE)
    if search:
        select = select.where(sa.or_(_begins(profiles.c.name_key), _begins(profiles.c.email_key)))
    if role:
        members = sa.select(profile_roles.c.profile_id).where(profile_roles.c.role == bindparam("role"))
        select = select.where(profiles.c.id.in_(members))
    if active:
        select = select.where(profiles.c.active == bindparam("active"))
    return Query(select, Entry)


def _begins(column: sa.Column[str]) -> sa.ColumnElement[bool]:
    return sa.and_(column >= bindparam("search"), column < bindparam("search_end"))


class Directory:
    """Finds people."""

    def __init__(self, ctx: Context[UsersSettings]) -> None:
        self._db = ctx.db

    async def entries(
        self, *, limit: int, after: tuple[str, UUID] | None, search: str | None, role: str | None, active: bool | None
    ) -> list[Entry]:
        """Return up to *limit* people behind *after* whose name or address begins with *search*."""
        values: dict[str, object] = {"limit": limit}
        if after is not None:
            values |= {"after_name": after[0], "after_id": after[1]}
        if search:
            values |= {"search": key(search), "search_end": key(search) + LAST}
        if role is not None:
            values["role"] = role
        if active is not None:
            values["active"] = active
        query = listing(after=after is not None, search=bool(search), role=role is not None, active=active is not None)
        return await self._db.all(query, **values)
