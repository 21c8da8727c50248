"""The HTTP surface for administrators of accounts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from kernel import Context, Page, Request, Route, get, page, post, problems, put
from kernel.contracts.audit import act
from kernel.contracts.auth import LastAdministrator
from kernel.contracts.auth_http import MANAGE_ACCOUNTS, ROLES, AccountQuery, NewRoles
from kernel.database import Session
from plugins.auth.accounts import AccountRow, split_roles
from plugins.auth.administration import Administration, Change
from plugins.auth.settings import AuthSettings
from plugins.auth.views import AccountSeen, account_seen


class AccountsApi:
    """Lists accounts, gives roles, closes and opens."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._known = ROLES | ctx.roles.keys()
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
        return page([account_seen(row) for row in rows], query, lambda seen: seen.email)

    async def account(self, request: Request, account_id: UUID) -> AccountSeen:
        """Read one account."""
        return account_seen(await self._administration.account(account_id))

    async def set_roles(self, request: Request, account_id: UUID, body: NewRoles, session: Session) -> AccountSeen:
        """Give an account exactly these roles; its tokens have them within five seconds."""
        roles = frozenset(body.roles)
        if unknown := sorted(roles - self._known):
            message = f"no such role: {', '.join(unknown)}; there are {', '.join(sorted(self._known))}"
            raise problems.Invalid(fields=[problems.FieldError("body.roles", message)])
        change = await self._administration.set_roles(session, account_id, roles, request.principal.id)
        return await self._done(session, request, "auth.set_roles", change)

    async def disable(self, request: Request, account_id: UUID, session: Session) -> AccountSeen:
        """Close an account and end its sessions."""
        change = await self._administration.disable(session, account_id)
        return await self._done(session, request, "auth.disable", change)

    async def enable(self, request: Request, account_id: UUID, session: Session) -> AccountSeen:
        """Open a closed account again."""
        change = await self._administration.enable(session, account_id)
        return await self._done(session, request, "auth.enable", change)

    async def _done(self, session: Session, request: Request, action: str, change: Change) -> AccountSeen:
        """Record what was changed, if anything was; return the account as it is now."""
        before, after = _facts(change.before), _facts(change.after)
        if before != after:
            told = act(
                request,
                action,
                f"account:{change.after.id}",
                before={name: value for name, value in before.items() if after[name] != value},
                after={name: value for name, value in after.items() if before[name] != value},
            )
            await self._ctx.events.publish(session, told)
        return account_seen(change.after)


def _facts(row: AccountRow) -> dict[str, Any]:
    return {"roles": sorted(split_roles(row.roles)), "active": row.active}
