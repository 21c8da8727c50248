"""The identity behind a request: what fulfils `auth/1`."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from aiohttp import web

from kernel import Context, Principal, Request, problems
from kernel.contracts.audit import act
from kernel.contracts.auth import Account, SignedIn, Vouched
from plugins.auth.accounts import HOLDER, find, grant, split_roles
from plugins.auth.acting import may_act
from plugins.auth.addresses import checked
from plugins.auth.administration import Administration
from plugins.auth.browsers import LOOK_EVERY, BrowserRow, Browsers
from plugins.auth.cookies import Cookies
from plugins.auth.permissions import Rights
from plugins.auth.remembered import Known, Remembered
from plugins.auth.revocations import Revocations
from plugins.auth.settings import AuthSettings
from plugins.auth.tokens import AccessTokens, Claims
from plugins.auth.vouching import Vouching


class AuthIdentity:
    """Turns bearer tokens and cookies into principals; one that it has seen costs a look into a dictionary."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._db = ctx.db
        self._clock = ctx.clock
        self._rights = Rights(ctx.roles)
        self._tokens = ctx.own(AccessTokens)
        self._browsers = ctx.own(Browsers)
        self._cookies = ctx.own(Cookies)
        self._revocations = ctx.own(Revocations)
        self._bearers, self._kept = Remembered(), Remembered()  # by the whole header, and by the cookie's value
        for remembered in (self._bearers, self._kept):
            self._revocations.on_change(remembered.forget)

    async def authenticate(self, request: web.Request) -> Principal | None:
        header = request.headers.get("Authorization")
        if header is not None:
            return self._bearer(header, once="Upgrade" in request.headers)
        value = self._cookies.value(request)
        return None if value is None else await self._browser(request, value)

    async def record_acting(self, request: Request, route: str) -> None:
        path = request.http.raw_path.partition("?")[0]
        told = act(request, "auth.acted", f"account:{request.principal.id}", after={"route": route, "path": path})
        async with self._db.transaction() as session:
            await self._ctx.events.publish(session, told)

    async def lapsed(self, principals: Sequence[Principal]) -> Collection[Principal]:
        return [principal for principal in principals if not self._stands(principal)]

    async def account(self, user_id: UUID) -> Account | None:
        row = await find(self._db, user_id)
        return row.account() if row else None

    async def holder(self, email: str) -> UUID | None:
        return await self._db.first(HOLDER, email=email.strip().lower())

    async def sign_in(self, request: Request, person: Vouched) -> SignedIn:
        return await self._ctx.own(Vouching).sign_in(request, person)

    async def close(self, user_id: UUID) -> None:
        async with self._db.transaction() as session:
            with contextlib.suppress(problems.NotFound):
                await self._ctx.own(Administration).disable(session, user_id)

    async def grant(self, email: str, roles: Iterable[str]) -> Account:
        return await grant(self._ctx, checked(email), roles)

    def _bearer(self, header: str, *, once: bool) -> Principal:
        known = self._bearers.find(header)
        if known is None:
            known = self._verify(header)
            if not once:  # a WebSocket shows it when it opens, and is open for long
                self._bearers.add(header, known)
        elif known.expires <= self._clock.now():
            self._bearers.drop(header)
            raise _refused()
        return known.principal

    def _verify(self, header: str) -> Known:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise problems.NotSignedIn("Send the access token as 'Authorization: Bearer …'.")
        claims = self._tokens.verify(token.strip())
        if self._revocations.ended(claims.sid):
            raise _refused()
        expires = datetime.fromtimestamp(claims.exp, UTC)
        return Known(self._principal(claims, expires), expires)

    async def _browser(self, request: web.Request, value: str) -> Principal | None:
        """Return whose cookie it is; one that is over makes a stranger, since no page can take it away."""
        known = self._kept.find(value)
        if known is None or known.expires <= self._clock.now():
            found = await self._browsers.look(self._cookies.digest(value))
            if found is None or self._revocations.ended(found.id):
                return None
            known = self._seen(found)
            self._kept.add(value, known)
        self._cookies.check(request, known.principal.session)
        return known.principal

    def _seen(self, row: BrowserRow) -> Known:
        # what was read may be older than what another process has told meanwhile
        roles, permissions = self._rights.of(self._roles_now(row.account_id, split_roles(row.roles)))
        principal = Principal(
            id=row.account_id,
            session=row.id,
            roles=roles,
            permissions=permissions,
            expires=row.expires_at,
        )
        return Known(principal, min(row.expires_at, self._clock.now() + LOOK_EVERY))

    def _principal(self, claims: Claims, expires: datetime) -> Principal:
        roles, permissions = self._rights.of(self._roles_now(claims.sub, frozenset(claims.roles)))
        actor = claims.act
        if actor is not None:
            _, theirs = self._rights.of(self._roles_now(actor.sub, frozenset(actor.roles)))
            if not may_act(theirs, roles, permissions):
                raise _refused()
        return Principal(
            id=claims.sub,
            session=claims.sid,
            roles=roles,
            permissions=permissions,
            actor=None if actor is None else actor.sub,
            expires=expires,
        )

    def _stands(self, principal: Principal) -> bool:
        """Return whether *principal* is still what was vouched for."""
        if self._revocations.ended(principal.session):
            return False
        standing = self._revocations.lately(principal.id)
        if standing is not None and not (standing.active and standing.roles == principal.roles):
            return False
        actor = None if principal.actor is None else self._revocations.lately(principal.actor)
        if actor is None:
            return True
        _, theirs = self._rights.of(actor.roles)
        return actor.active and may_act(theirs, principal.roles, principal.permissions)

    def _roles_now(self, account: UUID, told: frozenset[str]) -> frozenset[str]:
        """Return the account's roles, which are those that were *told* unless it changed lately."""
        standing = self._revocations.lately(account)
        if standing is None:
            return told
        if not standing.active:
            raise _refused()
        return standing.roles


def _refused() -> problems.NotSignedIn:
    return problems.NotSignedIn("The token is not good (any more).")
