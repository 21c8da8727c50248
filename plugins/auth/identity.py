"""The identity behind a request: what fulfils `auth/1`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from aiohttp import web

from kernel import Context, Principal, problems
from kernel.contracts.auth import Account
from plugins.auth.accounts import find, grant
from plugins.auth.addresses import checked
from plugins.auth.administration import Administration
from plugins.auth.revocations import Revocations
from plugins.auth.settings import AuthSettings
from plugins.auth.tokens import AccessTokens, Claims

#: Tokens whose verification this process remembers: about 1 KB each.
REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    expires: datetime


class AuthIdentity:
    """Turns bearer tokens into principals; one that it has seen costs a look into a dictionary."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._db = ctx.db
        self._clock = ctx.clock
        self._roles = ctx.roles
        self._tokens = ctx.own(AccessTokens)
        self._revocations = ctx.own(Revocations)
        self._revocations.on_change(self._forget)
        self._known: dict[str, _Known] = {}  # by the whole header, the oldest first
        self._headers: dict[UUID, set[str]] = {}  # of a session or an account

    async def authenticate(self, request: web.Request) -> Principal | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        known = self._known.get(header)
        if known is None:
            return self._verify(header)
        if known.expires > self._clock.now():
            return known.principal
        self._drop(header)
        raise problems.NotSignedIn("The token is not good (any more).")

    async def account(self, user_id: UUID) -> Account | None:
        row = await find(self._db, user_id)
        return row.account() if row else None

    async def close(self, user_id: UUID) -> None:
        async with self._db.transaction() as session:
            with contextlib.suppress(problems.NotFound):
                await self._ctx.own(Administration).disable(session, user_id)

    async def grant(self, email: str, roles: Iterable[str]) -> Account:
        return await grant(self._ctx, checked(email), roles)

    def _verify(self, header: str) -> Principal:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise problems.NotSignedIn("Send the access token as 'Authorization: Bearer …'.")
        claims = self._tokens.verify(token.strip())
        if self._revocations.ended(claims.sid):
            raise problems.NotSignedIn("The token is not good (any more).")
        principal = self._principal(claims)
        self._remember(header, _Known(principal, datetime.fromtimestamp(claims.exp, UTC)))
        return principal

    def _principal(self, claims: Claims) -> Principal:
        changed = self._revocations.roles(claims.sub)
        roles = frozenset(claims.roles) if changed is None else changed
        permissions = frozenset[str]().union(*(self._roles.get(role, frozenset()) for role in roles))
        return Principal(id=claims.sub, session=claims.sid, roles=roles, permissions=permissions)

    def _remember(self, header: str, known: _Known) -> None:
        if len(self._known) >= REMEMBERED:
            self._drop(next(iter(self._known)))
        self._known[header] = known
        for whose in (known.principal.session, known.principal.id):
            self._headers.setdefault(whose, set()).add(header)

    def _forget(self, changed: UUID) -> None:
        for header in tuple(self._headers.get(changed, ())):
            self._drop(header)

    def _drop(self, header: str) -> None:
        known = self._known.pop(header)
        for whose in (known.principal.session, known.principal.id):
            headers = self._headers[whose]
            headers.discard(header)
            if not headers:
                del self._headers[whose]
