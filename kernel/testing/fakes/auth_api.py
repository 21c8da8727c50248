"""The HTTP surface of the in-memory `auth/1`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol
from uuid import UUID

from kernel import SIGNED_IN, Context, Event, Page, PageQuery, Request, Route, delete, get, page, post, problems, put
from kernel.contracts.audit import act
from kernel.contracts.auth import LastAdministrator
from kernel.contracts.auth_http import MANAGE_ACCOUNTS, ROLES, AccountQuery, AccountSeen, NewRoles, SessionSeen
from kernel.database import Session
from kernel.testing.fakes.accounts import InMemoryAccounts, KnownAccount, KnownSession


class Publish(Protocol):
    """Tells of events in a transaction."""

    def __call__(self, events: Iterable[Event], within: Session | None = None) -> Awaitable[None]: ...


class InMemoryAuthApi:
    """Serves what the contract asks for."""

    def __init__(self, ctx: Context[Any], accounts: InMemoryAccounts, publish: Publish) -> None:
        self._known = ROLES | ctx.roles.keys()
        self._accounts = accounts
        self._publish = publish

    def routes(self) -> Iterable[Route]:
        allowed, absent, last = MANAGE_ACCOUNTS, (problems.NotFound,), (problems.NotFound, LastAdministrator)
        return (
            get("/sessions", self.sessions, permission=SIGNED_IN),
            delete("/sessions/{session_id}", self.end_session, permission=SIGNED_IN, problems=absent),
            delete("/sessions", self.end_other_sessions, permission=SIGNED_IN),
            post("/sign-out", self.sign_out, permission=SIGNED_IN, status=204),
            get("/accounts", self.accounts, permission=allowed),
            get("/accounts/{account_id}", self.account, permission=allowed, problems=absent),
            put("/accounts/{account_id}/roles", self.set_roles, permission=allowed, problems=last),
            post("/accounts/{account_id}/disable", self.disable, permission=allowed, problems=last),
            post("/accounts/{account_id}/enable", self.enable, permission=allowed, problems=absent),
        )

    async def sessions(self, request: Request, query: PageQuery) -> Page[SessionSeen]:
        """List one's own sessions, the newest first."""
        me, after = request.principal, query.after(UUID)
        rows = [one for one in self._accounts.sessions(me.id) if after is None or one.id < after]
        shown = [SessionSeen(id=one.id, created_at=one.created_at, current=one.id == me.session) for one in rows]
        return page(shown[: query.limit + 1], query, lambda seen: seen.id)

    async def end_session(self, request: Request, session_id: UUID, session: Session) -> None:
        """End one of one's own sessions."""
        if not await self._end(request, session, lambda one: one.id == session_id):
            raise problems.NotFound

    async def end_other_sessions(self, request: Request, session: Session) -> None:
        """End all of one's sessions but this one."""
        await self._end(request, session, lambda one: one.id != request.principal.session)

    async def sign_out(self, request: Request, session: Session) -> None:
        """End this session."""
        await self._end(request, session, lambda one: one.id == request.principal.session)

    async def accounts(self, request: Request, query: AccountQuery) -> Page[AccountSeen]:
        """List accounts by address."""
        after = query.after(str) or ""
        rows = [one for one in self._accounts.matching(query) if one.email > after]
        return page(rows[: query.limit + 1], query, lambda seen: seen.email)

    async def account(self, request: Request, account_id: UUID) -> AccountSeen:
        """Read one account."""
        return self._find(account_id).seen()

    async def set_roles(self, request: Request, account_id: UUID, body: NewRoles, session: Session) -> AccountSeen:
        """Give an account exactly these roles."""
        roles = frozenset(body.roles)
        if unknown := sorted(roles - self._known):
            raise problems.Invalid(fields=[problems.FieldError("body.roles", f"no such role: {', '.join(unknown)}")])

        def change(account: KnownAccount) -> list[Event]:
            return self._accounts.set_roles(account, roles, request.principal.id)

        return await self._change(request, session, account_id, "auth.set_roles", change)

    async def disable(self, request: Request, account_id: UUID, session: Session) -> AccountSeen:
        """Close an account and end its sessions."""
        return await self._change(request, session, account_id, "auth.disable", self._accounts.close)

    async def enable(self, request: Request, account_id: UUID, session: Session) -> AccountSeen:
        """Open a closed account again."""
        return await self._change(request, session, account_id, "auth.enable", self._accounts.open)

    async def _end(self, request: Request, session: Session, wanted: Callable[[KnownSession], bool]) -> bool:
        ending = [one for one in self._accounts.sessions(request.principal.id) if wanted(one)]
        await self._publish([event for one in ending for event in self._accounts.end(one, "sign-out")], session)
        return bool(ending)

    async def _change(
        self,
        request: Request,
        session: Session,
        account_id: UUID,
        action: str,
        change: Callable[[KnownAccount], list[Event]],
    ) -> AccountSeen:
        account = self._find(account_id)
        before = account.seen()
        if told := change(account):
            facts = ({"roles": list(seen.roles), "active": seen.active} for seen in (before, account.seen()))
            recorded = act(request, action, f"account:{account_id}", before=next(facts), after=next(facts))
            await self._publish([*told, recorded], session)
        return account.seen()

    def _find(self, account_id: UUID) -> KnownAccount:
        found = self._accounts.find(account_id)
        if found is None:
            raise problems.NotFound
        return found
