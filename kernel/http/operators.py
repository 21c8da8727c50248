"""Who may see how a deployment fares."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network
from typing import Final

from aiohttp import web

from kernel.http import problems
from kernel.http.request import Request
from kernel.settings import Secret, Settings

PERMISSION: Final = "platform.operate"
_THIS_MACHINE: Final = ("127.0.0.0/8", "::1/128")

#: Finds out who asks, as for a route.
Identify = Callable[[web.Request], Awaitable[Request]]


class OperationsSettings(Settings, frozen=True):
    """`[operations]`: who may see how the deployment fares."""

    allowed: tuple[str, ...] = ()  #: networks of operators; in development this machine is one besides
    token: Secret | None = None  #: whoever sends it as a bearer token is an operator, wherever they are

    def __post_init__(self) -> None:
        for network in self.allowed:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"allowed: {network!r} is not a network; write it as '10.0.0.0/8'") from error


class Operators:
    """Tells operators from others: by token, by the permission `platform.operate`, or by their address."""

    def __init__(self, settings: OperationsSettings, identify: Identify, *, development: bool) -> None:
        here = _THIS_MACHINE if development else ()
        self._networks = tuple(ip_network(network) for network in (*settings.allowed, *here))
        self._token = f"Bearer {settings.token.reveal()}".encode() if settings.token else None
        self._identify = identify

    async def include(self, http: web.Request) -> bool:
        """Return whether the request comes from an operator."""
        if self._token and hmac.compare_digest(_authorization(http), self._token):
            return True
        try:
            request = await self._identify(http)
        except problems.NotSignedIn:
            return False
        if request.caller and PERMISSION in request.caller.permissions:
            return True
        return not _behind_unknown_proxy(http, request) and self._near(request.address)

    def _near(self, address: str) -> bool:
        return any(ip_address(address) in network for network in self._networks)


def _authorization(http: web.Request) -> bytes:
    return http.headers.get("Authorization", "").encode(errors="surrogateescape")  # which is how aiohttp decodes


def _behind_unknown_proxy(http: web.Request, request: Request) -> bool:
    # A proxy on this machine that nobody declared as trusted would make the whole world look like 127.0.0.1.
    # One that adds no header can not be told from a person here, which is why no network is allowed by default.
    forwarded = "X-Forwarded-For" in http.headers or "Forwarded" in http.headers
    return forwarded and request.address == http.remote
