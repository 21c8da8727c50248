"""Accounts: who there is, and the roles that they have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Event, new_id
from kernel.contracts.auth import Account, RolesChanged, UserRegistered
from kernel.database import Command, Database, Query, Session, Timestamp
from plugins.auth.settings import AuthSettings
from plugins.auth.tables import account_roles, accounts

STUDENT: Final = "student"
ADMIN: Final = "admin"
INSTRUCTOR: Final = "instructor"
DEFAULT_LOCALE: Final = "en"

#: Written into the statement, which a bound separator would keep from being compiled once.
_SPACE: Final = cast(str, sa.literal_column("' '"))
#: The roles of an account, joined by spaces; null where it has none.
ROLES: Final = (
    sa.select(sa.func.aggregate_strings(account_roles.c.role, _SPACE))
    .where(account_roles.c.account_id == accounts.c.id)
    .correlate(accounts)
    .scalar_subquery()
    .label("roles")
)


class AccountRow(msgspec.Struct, frozen=True):
    """An account as the database has it."""

    id: UUID
    email: str
    active: bool
    created_at: datetime
    signed_in_at: datetime | None
    roles: str | None

    def account(self) -> Account:
        return Account(id=self.id, email=self.email, roles=tuple(sorted(split_roles(self.roles))), active=self.active)


COLUMNS: Final = (
    accounts.c.id,
    accounts.c.email,
    accounts.c.active,
    accounts.c.created_at,
    accounts.c.signed_in_at,
    ROLES,
)

BY_ID: Final = Query(sa.select(*COLUMNS).where(accounts.c.id == bindparam("account")), AccountRow)
HOLDER: Final = Query(sa.select(accounts.c.id).where(accounts.c.email == bindparam("email")), UUID)

_FIRST_VERSION: Final = 1
_PUT: Final = insert(accounts).values(
    {name: bindparam(name) for name in ("id", "email", "created_at", "signed_in_at")}
    | {"active": True, "version": _FIRST_VERSION}
)
#: Makes the account, or notes the sign-in of the one there is; locks it until the transaction ends.
PUT: Final = Query(
    _PUT.on_conflict_do_update(
        index_elements=["email"],
        set_={"signed_in_at": sa.func.coalesce(_PUT.excluded.signed_in_at, accounts.c.signed_in_at)},
    ).returning(accounts.c.id),
    UUID,
)

#: Locks the account too, until the transaction ends.
NOTE_SIGN_IN: Final = Command(
    sa.update(accounts)
    .where(accounts.c.id == bindparam("account"))
    .values(signed_in_at=bindparam("now", type_=Timestamp()))
)

ADD_ROLE: Final = Command(
    insert(account_roles)
    .values(account_id=bindparam("account"), role=bindparam("role"))
    .on_conflict_do_nothing(index_elements=["account_id", "role"])
)
TAKE_ROLE: Final = Command(
    sa.delete(account_roles).where(
        account_roles.c.account_id == bindparam("account"), account_roles.c.role == bindparam("role")
    )
)
#: Counts a change; returns the account's version after it.
TOUCH: Final = Query(
    sa.update(accounts)
    .where(accounts.c.id == bindparam("account"))
    .values(changed_at=bindparam("now"), version=accounts.c.version + 1)
    .returning(accounts.c.version),
    int,
)


def split_roles(joined: str | None) -> frozenset[str]:
    """Return the roles that `ROLES` selected."""
    return frozenset((joined or "").split())


async def find(db: Database, account: UUID) -> AccountRow | None:
    """Return the account, None when there is none."""
    return await db.first(BY_ID, account=account)


async def arrive(
    ctx: Context[AuthSettings],
    session: Session,
    email: str,
    *,
    display_name: str = "",
    locale: str = "",
    signs_in: bool,
) -> tuple[AccountRow, list[Event]]:
    """Return the account of *email*, made now if there is none, and the events of its making."""
    now, new = ctx.clock.now(), new_id()
    found = await session.one(PUT, id=new, email=email, created_at=now, signed_in_at=now if signs_in else None)
    if found != new:
        return await session.one(BY_ID, account=found), []
    await session.run(ADD_ROLE, account=new, role=STUDENT)
    registered = UserRegistered(
        user_id=new,
        email=email,
        display_name=display_name,
        locale=locale or DEFAULT_LOCALE,
        roles=(STUDENT,),
        version=_FIRST_VERSION,
    )
    return await session.one(BY_ID, account=new), [registered]


async def replace_roles(
    session: Session, row: AccountRow, roles: frozenset[str], now: datetime, by: UUID | None = None
) -> RolesChanged:
    """Give the account of *row* exactly *roles*; return what is to be told of it."""
    had = split_roles(row.roles)
    if gone := had - roles:
        await session.run_many(TAKE_ROLE, [{"account": row.id, "role": role} for role in sorted(gone)])
    if new := roles - had:
        await session.run_many(ADD_ROLE, [{"account": row.id, "role": role} for role in sorted(new)])
    version = await session.one(TOUCH, account=row.id, now=now)
    return RolesChanged(user_id=row.id, roles=tuple(sorted(roles)), changed_by=by, version=version)


async def grant(
    ctx: Context[AuthSettings], email: str, roles: Iterable[str], act: Callable[[Account, Account], Event] | None = None
) -> Account:
    """Give *roles*, beside those it has, to the account of *email*, which is made if there is none.

    Where that changes anything, *act* returns what is to be told of it beside: it is given the account before and
    after; one that was made had no roles.
    """
    async with ctx.db.transaction() as session:
        row, events = await arrive(ctx, session, email, signs_in=False)
        before = msgspec.structs.replace(row.account(), roles=()) if events else row.account()
        wanted = split_roles(row.roles).union(roles)
        if wanted != split_roles(row.roles):
            events.append(await replace_roles(session, row, wanted, ctx.clock.now()))
        after = msgspec.structs.replace(row.account(), roles=tuple(sorted(wanted)))
        if act is not None and events:
            events.append(act(before, after))
        await ctx.events.publish_all(session, events)
    return after
