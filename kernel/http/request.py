"""What a handler is given of one HTTP request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from aiohttp import web

from kernel.http import problems
from kernel.http.principal import Principal


@dataclass(slots=True)
class Request:
    """One request, after its caller was identified and its permission checked."""

    id: UUID  #: also the correlation id of the events that the request causes
    http: web.Request  #: aiohttp's own request, for what is rare
    address: str  #: the client's address, seen through trusted proxies only
    caller: Principal | None
    placeholders: Mapping[str, str] = field(default_factory=dict)  #: what the path has in their places, as it was sent
    idempotency_key: str | None = None

    @property
    def principal(self) -> Principal:
        """Return who is signed in; raise `NotSignedIn` on a public route called by a stranger."""
        if self.caller is None:
            raise problems.NotSignedIn
        return self.caller
