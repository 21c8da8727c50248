"""An identity for tests without `auth`: whoever names a role has it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final
from uuid import UUID

from aiohttp import web

from kernel import IDENTITY, Context, Identity, Manifest, Plugin, Principal, Provide, hookimpl, new_id, problems

_SESSION: Final = UUID(int=1)


def token(role: str, user: UUID | None = None) -> str:
    """Return the bearer token by which a *user* (a new one by default) has *role*, or several: `student+admin`."""
    return f"{role}:{user or new_id()}"


class TokenIdentity(Identity):
    """Believes every token of the form `role:uuid`."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._roles = ctx.roles

    async def authenticate(self, request: web.Request) -> Principal | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        names, _, user = header.removeprefix("Bearer ").partition(":")
        with contextlib.suppress(ValueError):
            return self._principal(UUID(user), frozenset(names.split("+")))
        raise problems.NotSignedIn("The token is not of the form 'role:uuid'.")

    def _principal(self, user: UUID, roles: frozenset[str]) -> Principal:
        permissions = frozenset[str]().union(*(self._roles.get(role, frozenset()) for role in roles))
        return Principal(id=user, session=_SESSION, roles=roles, permissions=permissions)


class IdentityPlugin(Plugin):
    """Provides `auth/1` where a test leaves the real `auth` out."""

    manifest: ClassVar[Manifest] = Manifest(name="test-identity", version="1", provides=(IDENTITY,))

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        @asynccontextmanager
        async def identity() -> AsyncIterator[Identity]:
            yield TokenIdentity(ctx)

        yield Provide(IDENTITY, identity)
