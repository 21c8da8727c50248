"""What administrators do with accounts. There is always an active administrator left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, problems
from kernel.contracts.auth import LastAdministrator, UserDisabled, UserEnabled
from kernel.database import Command, Query, Session
from plugins.auth.accounts import ADMIN, BY_ID, COLUMNS, AccountRow, replace_roles, split_roles
from plugins.auth.revocations import Revocations
from plugins.auth.sessions import Sessions
from plugins.auth.settings import AuthSettings
from plugins.auth.tables import account_roles, accounts, administration

#: Taken first by whoever may change who administers: the next one waits until this transaction has ended.
TAKE_TURN: Final = Command(sa.update(administration).values(changes=administration.c.changes + 1))

OTHER_ADMINISTRATORS: Final = Query(
    sa.select(sa.func.count().label("count"))
    .select_from(account_roles.join(accounts))
    .where(account_roles.c.role == ADMIN, accounts.c.active, accounts.c.id != bindparam("account")),
    int,
)

#: Counts the change; returns the account's version after it, nothing where it is none.
SET_ACTIVE: Final = Query(
    sa.update(accounts)
    .where(accounts.c.id == bindparam("account"), accounts.c.active != bindparam("active"))
    .values(active=bindparam("active"), changed_at=bindparam("now"), version=accounts.c.version + 1)
    .returning(accounts.c.version),
    int,
)

#: Sorts after every character that follows a prefix.
_LAST: Final = "\U0010ffff"


@cache
def listing(*, prefix: bool, role: bool, active: bool) -> Query[AccountRow]:
    """Return the list of accounts by email with the filters that are asked for, each of them on an index."""
    select = sa.select(*COLUMNS).order_by(accounts.c.email).limit(bindparam("limit"))
    select = select.where(accounts.c.email > bindparam("after"))
    if prefix:
        select = select.where(accounts.c.email >= bindparam("prefix"), accounts.c.email < bindparam("prefix_end"))
    if active:
        select = select.where(accounts.c.active == bindparam("active"))
    if role:
        members = sa.select(account_roles.c.account_id).where(account_roles.c.role == bindparam("role"))
        select = select.where(accounts.c.id.in_(members))
    return Query(select, AccountRow)


@dataclass(frozen=True)
class Change:
    """An account before and after; the same twice where nothing was to be done."""

    before: AccountRow
    after: AccountRow


class Administration:
    """Reads and changes accounts."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._sessions = ctx.own(Sessions)
        self._revocations = ctx.own(Revocations)

    async def accounts(
        self, *, limit: int, after: str, prefix: str | None, role: str | None, active: bool | None
    ) -> list[AccountRow]:
        """Return up to *limit* accounts whose email sorts behind *after*."""
        values: dict[str, object] = {"limit": limit, "after": after}
        if prefix:
            values |= {"prefix": prefix, "prefix_end": prefix + _LAST}
        if role is not None:
            values["role"] = role
        if active is not None:
            values["active"] = active
        query = listing(prefix=bool(prefix), role=role is not None, active=active is not None)
        return await self._ctx.db.all(query, **values)

    async def account(self, person: UUID, within: Session | None = None) -> AccountRow:
        """Return the account, as the transaction *within* sees it.

        Raises:
            problems.NotFound: there is none.
        """
        found = await (within or self._ctx.db).first(BY_ID, account=person)
        if found is None:
            raise problems.NotFound
        return found

    async def set_roles(self, session: Session, person: UUID, roles: frozenset[str], by: UUID | None) -> Change:
        """Give the account exactly *roles*; *by* is the administrator, None where it is nobody's wish.

        Raises:
            problems.NotFound: there is no such account.
            LastAdministrator: nobody would administer any more.
        """
        await session.run(TAKE_TURN)
        row = await self.account(person, session)
        if split_roles(row.roles) == roles:
            return Change(row, row)
        if ADMIN not in roles:
            await self._keep_one(session, row)
        await self._ctx.events.publish_all(session, [await replace_roles(session, row, roles, self._now, by)])
        self._revocations.change(session, person, roles, active=row.active)
        return Change(row, await self.account(person, session))

    async def disable(self, session: Session, person: UUID) -> Change:
        """Close the account and end its sessions; nothing happens to a closed one.

        Raises:
            problems.NotFound: there is no such account.
            LastAdministrator: nobody would administer any more.
        """
        await session.run(TAKE_TURN)
        row = await self.account(person, session)
        if not row.active:
            return Change(row, row)
        await self._keep_one(session, row)
        version = await session.one(SET_ACTIVE, account=person, active=False, now=self._now)
        await self._ctx.events.publish_all(session, [UserDisabled(user_id=person, version=version)])
        await self._sessions.end_all(session, person, "disabled")
        self._revocations.change(session, person, split_roles(row.roles), active=False)
        return Change(row, await self.account(person, session))

    async def retire(self, session: Session, person: UUID) -> None:
        """Close the account, take its roles and end every session that it has; safe to repeat.

        Sessions may live though the account was closed before: one was starting in that moment.

        Raises:
            problems.NotFound: there is no such account.
            LastAdministrator: nobody would administer any more.
        """
        await self.disable(session, person)
        await self._sessions.end_all(session, person, "disabled")
        await self.set_roles(session, person, frozenset(), by=None)

    async def enable(self, session: Session, person: UUID) -> Change:
        """Open the account again; its sessions stay ended.

        Raises:
            problems.NotFound: there is no such account.
        """
        version = await session.first(SET_ACTIVE, account=person, active=True, now=self._now)
        row = await self.account(person, session)
        if version is None:
            return Change(row, row)
        await self._ctx.events.publish_all(session, [UserEnabled(user_id=person, version=version)])
        self._revocations.change(session, person, split_roles(row.roles), active=True)
        return Change(msgspec.structs.replace(row, active=False), row)

    async def _keep_one(self, session: Session, row: AccountRow) -> None:
        administers = row.active and ADMIN in split_roles(row.roles)
        if administers and await session.one(OTHER_ADMINISTRATORS, account=row.id) == 0:
            raise LastAdministrator("Make another account an administrator first.")

    @property
    def _now(self) -> datetime:
        return self._ctx.clock.now()
