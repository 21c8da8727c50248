"""The capability that finds out who calls, `auth/1` as the kernel asks for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol

from aiohttp import web

from kernel.capabilities import Capability
from kernel.http.principal import Principal
from kernel.http.request import Request


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

    async def lapsed(self, principals: Sequence[Principal]) -> Collection[Principal]:
        """Return those of *principals*, by whom WebSockets were opened, who may not go on as they are.

        Their session was ended, their account closed, or they have other roles. Asked of all at once, each second; it
        is to be answered from memory. `Principal.expires` is seen to already. Needed of who can end a session early.
        """
        return ()


IDENTITY: Final[Capability[Identity]] = Capability("auth", 1)
