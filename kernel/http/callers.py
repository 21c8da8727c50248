"""Callers: who sends a request, from where, and whether a browser was tricked into it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import uuid_utils
from aiohttp import web

from kernel.correlation import current_cause
from kernel.http import problems
from kernel.http.identity import IDENTITY
from kernel.http.principal import Principal
from kernel.http.request import Request
from kernel.http.routes import PUBLIC, SIGNED_IN
from kernel.services import Services

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OWN_SITES: Final = ("same-origin", "none")  # "none": typed or bookmarked, no other site is behind it


class Addresses:
    """Finds the client's address behind the trusted proxies."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted: tuple[IPv4Network | IPv6Network, ...] = tuple(map(ip_network, trusted))

    def of(self, http: web.Request) -> str:
        """Return the nearest address that is not a trusted proxy.

        `X-Forwarded-For` is read from the right, where the proxies wrote; what stands left of the first address
        that is not trusted was written by the client and believed by nobody.
        """
        peer = http.remote or "-"
        if not self._trusted or not self.trusts(peer):
            return peer
        hops = [hop.strip() for line in http.headers.getall("X-Forwarded-For", ()) for hop in line.split(",")]
        for hop in reversed(hops):
            if not _is_address(hop):
                break
            peer = hop
            if not self.trusts(hop):
                break
        return peer

    def trusts(self, address: str) -> bool:
        """Return whether *address* is a trusted proxy's."""
        return _is_address(address) and any(ip_address(address) in network for network in self._trusted)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def request_id(http: web.Request) -> str:
    """Return the `X-Request-ID` that came along if it is a UUID in lower case, else a new one.

    Text made by `uuid_utils` costs a tenth of a `UUID` made into text.
    """
    given = http.headers.get("X-Request-ID")
    return given if given is not None and _UUID.fullmatch(given) else str(uuid_utils.uuid7())


class Callers:
    """Finds out who sends a request."""

    def __init__(self, services: Services, addresses: Addresses) -> None:
        self.addresses = addresses
        self._services = services

    async def caller(self, http: web.Request) -> Principal | None:
        """Return who sends the request, None for a stranger.

        Raises:
            problems.NotSignedIn: the request bears a credential that is not valid.
            problems.Forbidden: a browser may have been tricked into sending it.
        """
        identity = self._services.find(IDENTITY)
        return None if identity is None else await identity.authenticate(http)

    async def record_acting(self, request: Request, route: str) -> None:
        """Have it written down that the caller of *request* asks for *route* in the place of another."""
        await self._services.get(IDENTITY).record_acting(request, route)


CALLERS: Final = web.AppKey("callers", Callers)


async def identify(http: web.Request) -> Request:
    """Return what a page's handler is given; a credential that has expired makes a stranger, not an error."""
    callers = http.config_dict[CALLERS]
    request = Request(current_cause().correlation, http, callers.addresses.of(http), None)
    with contextlib.suppress(problems.NotSignedIn):
        request.caller = await callers.caller(http)
    return request


def origin_of(url: str) -> str:
    """Return the origin of *url* as browsers write it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def refuse_cross_site(http: web.Request, origin: str) -> None:
    """Refuse a change that another site made a browser send: it bears our cookie, but was not meant by its user.

    A request with `Authorization` passes: no site can make a browser add that header.

    Raises:
        problems.Forbidden: the request comes from elsewhere than *origin*.
    """
    headers = http.headers
    if "Cookie" not in headers or "Authorization" in headers:
        return
    given = headers.get("Origin")
    if given is not None and given.lower() != origin:
        raise problems.Forbidden(f"The request comes from {given!r}; only pages of {origin} may send it.")
    if headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES:
        raise problems.Forbidden("The request comes from another site.")


def permits(caller: Principal | None, permission: str) -> bool:
    """Return whether *caller* may do what asks for *permission*."""
    if permission == PUBLIC:
        return True
    return caller is not None and (permission == SIGNED_IN or permission in caller.permissions)


def check_permission(caller: Principal | None, permission: str) -> None:
    """Refuse *caller* unless the permission is theirs.

    Raises:
        problems.NotSignedIn: nobody is signed in.
        problems.Forbidden: somebody is, and may not.
    """
    if permits(caller, permission):
        return
    if caller is None:
        raise problems.NotSignedIn
    raise problems.Forbidden(f"It takes the permission {permission!r}.", extensions={"permission": permission})
