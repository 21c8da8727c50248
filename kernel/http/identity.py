"""Who calls: the principal of a request, and the capability that finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from aiohttp import web

from kernel.capabilities import Capability


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """A person who is signed in, as the provider of `auth/1` vouches."""

    id: UUID  #: the person
    session: UUID  #: the session in which the person signed in
    roles: frozenset[str]  #: names such as `student`, `instructor`, `admin`
    permissions: frozenset[str]  #: what those roles allow
    actor: UUID | None = None  #: the administrator who stands in for the person, if one does


class Identity(Protocol):
    """Turns what a request bears, a bearer token say, into a principal."""

    async def authenticate(self, request: web.Request) -> Principal | None:
        """Return the principal, or None when the request bears no credential.

        Raises:
            problems.NotSignedIn: the credential is invalid, expired or revoked.
        """
        ...


IDENTITY: Final[Capability[Identity]] = Capability("auth", 1)
