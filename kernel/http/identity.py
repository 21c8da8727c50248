"""Who calls: the principal of a request, and the capability that finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from aiohttp import web

from kernel.capabilities import Capability

if TYPE_CHECKING:
    from kernel.http.request import Request


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
            problems.Forbidden: a browser may have been tricked into sending it.
        """
        ...

    async def record_acting(self, request: Request, route: str) -> None:
        """Write down that whoever sends *request* stands in for another (`Principal.actor`) and asks for *route*.

        Called once the permission is checked and before anything else is done, for each route that changes something.
        Raise, and the request fails. Needed of who sets an `actor`.
        """
        raise TypeError("a provider of auth/1 that sets an actor must record what the actor does")


IDENTITY: Final[Capability[Identity]] = Capability("auth", 1)
