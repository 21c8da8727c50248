"""The HTTP surface for administrators of accounts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec

from kernel import Context, Page, PageQuery, Request, Route, get, page, post, problems, put
from kernel.contracts.auth import LastAdministrator
from kernel.database import Session
from plugins.auth.accounts import ROLE_NAMES, AccountRow, split_roles
from plugins.auth.administration import Administration
from plugins.auth.settings import AuthSettings

MANAGE_ACCOUNTS: Final = "auth.manage_accounts"

Prefix = Annotated[str, msgspec.Meta(max_length=254, pattern=r"^[\x21-\x7e]*$(?!\n)")]
Role = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$(?!\n)")]


class AccountQuery(PageQuery, frozen=True, kw_only=True):
    """Which accounts to list."""

    email: Prefix | None = None  #: how the address begins
    role: Role | None = None
    active: bool | None = None


class AccountSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An account as administrators see it."""

    id: UUID
    email: str
    roles: tuple[str, ...]
    active: bool
    created_at: datetime
    signed_in_at: datetime | None


class NewRoles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All roles that the account is to have."""

    roles: Annotated[list[Role], msgspec.Meta(max_length=20)]


class AccountsApi:
    """Lists accounts, gives roles, closes and opens."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._known = ROLE_NAMES | ctx.roles.keys()
        self._administration = ctx.own(Administration)

    def routes(self) -> Iterable[Route]:
        allowed, absent, last = MANAGE_ACCOUNTS, (problems.NotFound,), (problems.NotFound, LastAdministrator)
        return (
            get("/accounts", self.accounts, permission=allowed),
            get("/accounts/{account_id}", self.account, permission=allowed, problems=absent),
            put("/accounts/{account_id}/roles", self.set_roles, permission=allowed, problems=last),
            post("/accounts/{account_id}/disable", self.disable, permission=allowed, problems=last),
            post("/accounts/{account_id}/enable", self.enable, permission=allowed, problems=absent),
        )

    async def accounts(self, request: Request, query: AccountQuery) -> Page[AccountSeen]:
        """List accounts by address."""
        rows = await self._administration.accounts(
            limit=query.limit + 1,
            after=query.after(str) or "",
            prefix=query.email.lower() if query.email else None,
            role=query.role,
            active=query.active,
        )
        return page([_seen(row) for row in rows], query, lambda seen: seen.email)

    async def account(self, request: Request, account_id: UUID) -> AccountSeen:
        """Read one account."""
        return _seen(await self._administration.account(account_id))

    async def set_roles(self, request: Request, account_id: UUID, body: NewRoles, session: Session) -> AccountSeen:
        """Give an account exactly these roles; its tokens have them within five seconds."""
        roles = frozenset(body.roles)
        if unknown := sorted(roles - self._known):
            message = f"no such role: {', '.join(unknown)}; there are {', '.join(sorted(self._known))}"
            raise problems.Invalid(fields=[problems.FieldError("body.roles", message)])
        row = await self._administration.set_roles(session, account_id, roles, request.principal.id)
        return _seen(row)

    async def disable(self, request: Request, account_id: UUID, session: Session) -> AccountSeen:
        """Close an account and end its sessions."""
        return _seen(await self._administration.disable(session, account_id))

    async def enable(self, request: Request, account_id: UUID, session: Session) -> AccountSeen:
        """Open a closed account again."""
        return _seen(await self._administration.enable(session, account_id))


def _seen(row: AccountRow) -> AccountSeen:
    return AccountSeen(
        id=row.id,
        email=row.email,
        roles=tuple(sorted(split_roles(row.roles))),
        active=row.active,
        created_at=row.created_at,
        signed_in_at=row.signed_in_at,
    )
