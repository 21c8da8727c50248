"""An in-memory `auth/1`, and a plugin that provides it where a test leaves the real one out.

Where a test asks nothing but who calls, `kernel.testing.identity` is enough, and stands in by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar
from uuid import UUID

from aiohttp import web

from kernel import Context, Event, Manifest, Permission, Plugin, Principal, Provide, Route, hookimpl, new_id, problems
from kernel.contracts.audit import ActRecorded
from kernel.contracts.auth import (
    AUTH,
    Account,
    RolesChanged,
    SessionRevoked,
    SessionStarted,
    UserDisabled,
    UserEnabled,
    UserRegistered,
)
from kernel.contracts.auth_http import MANAGE_ACCOUNTS
from kernel.database import Session
from kernel.testing.fakes.accounts import InMemoryAccounts, KnownAccount, KnownSession
from kernel.testing.fakes.auth_api import InMemoryAuthApi
from kernel.testing.identity import TokenIdentity


class InMemoryAuth(TokenIdentity):
    """Vouches for those who signed in by `sign_in`.

    It believes `role:uuid` also, as `deployment.client("student")` sends it: the first time, that is the sign-in of
    somebody with this id and these roles, of which nobody is told.
    """

    def __init__(self, ctx: Context[Any]) -> None:
        super().__init__(ctx)
        self._ctx = ctx
        self.accounts = InMemoryAccounts(ctx.clock)

    async def sign_in(self, email: str) -> str:
        """Sign in whoever has the address, at the first time with a new account; return the token.

        Raises:
            problems.NotSignedIn: the account is closed.
        """
        account, told = self.accounts.arrive(email)
        if not account.active:
            raise problems.NotSignedIn("The account is closed.")
        token = str(new_id())
        await self.publish([*told, *self.accounts.start(token, account.id)])
        return token

    async def authenticate(self, request: web.Request) -> Principal | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        session = self._session(header.removeprefix("Bearer ")) or await self._admitted(request, header)
        account = self.accounts.find(session.user) if session is not None else None
        if session is None or session.ended or account is None or not account.active:
            raise problems.NotSignedIn("The token is not good (any more).")
        return self._vouched(account, session)

    async def lapsed(self, principals: Sequence[Principal]) -> Collection[Principal]:
        return [principal for principal in principals if not self._stands(principal)]

    async def account(self, user_id: UUID) -> Account | None:
        found = self.accounts.find(user_id)
        return found.account() if found else None

    async def close(self, user_id: UUID) -> None:
        found = self.accounts.find(user_id)
        if found is not None:
            await self.publish(self.accounts.close(found))

    async def grant(self, email: str, roles: Iterable[str]) -> Account:
        account, told = self.accounts.arrive(email)
        told += self.accounts.set_roles(account, account.roles.union(roles))
        await self.publish(told)
        return account.account()

    async def publish(self, events: Iterable[Event], within: Session | None = None) -> None:
        """Tell of *events*."""
        async with contextlib.nullcontext(within) if within else self._ctx.db.transaction() as session:
            for event in events:
                await self._ctx.events.publish(session, event)

    def _session(self, token: str) -> KnownSession | None:
        return self.accounts.session(token)

    async def _admitted(self, request: web.Request, header: str) -> KnownSession | None:
        believed = await super().authenticate(request)
        if believed is None:
            return None
        known = self.accounts.find(believed.id)
        if known is None:
            known = self.accounts.add(KnownAccount(f"{believed.id}@example.org", id=believed.id))
        known.roles = believed.roles
        token = header.removeprefix("Bearer ")
        self.accounts.start(token, known.id)
        return self._session(token)

    def _stands(self, principal: Principal) -> bool:
        account = self.accounts.find(principal.id)
        living = [session.id for session in self.accounts.sessions(principal.id)]
        return (
            account is not None and account.active and account.roles == principal.roles and principal.session in living
        )

    def _vouched(self, account: KnownAccount, session: KnownSession) -> Principal:
        permissions = frozenset[str]().union(*(self._roles.get(role, frozenset()) for role in account.roles))
        return Principal(id=account.id, session=session.id, roles=account.roles, permissions=permissions)


class InMemoryAuthPlugin(Plugin):
    """Provides `auth/1` from memory; `deployment.platform.services.get(AUTH)` is the `InMemoryAuth`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="test-auth",
        version="1",
        provides=(AUTH,),
        publishes=(
            ActRecorded,
            RolesChanged,
            SessionRevoked,
            SessionStarted,
            UserDisabled,
            UserEnabled,
            UserRegistered,
        ),
    )
    kind: ClassVar[type[InMemoryAuth]] = InMemoryAuth  #: what it provides; a subclass may have another

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        yield Permission(name=MANAGE_ACCOUNTS, summary="See accounts, give roles, close and open", roles=("admin",))

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(AUTH, lambda: contextlib.nullcontext(ctx.own(self.kind)))

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        auth = ctx.own(self.kind)
        return InMemoryAuthApi(ctx, auth.accounts, auth.publish).routes()
